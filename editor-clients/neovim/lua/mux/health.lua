--- Implement `:checkhealth mux`.
local M = {}

---@param text string
---@return string
local function sanitized(text)
  return require('mux.sanitize').line(text)
end

local function check_neovim()
  if vim.fn.has('nvim-0.10') == 1 then
    vim.health.ok('Neovim ' .. vim.fn.matchstr(vim.fn.execute('version'), 'v\\zs[0-9.]\\+'))
  else
    vim.health.error('Neovim is too old', 'mux needs 0.10 or newer')
  end
end

local function check_settings()
  local config = require('mux.config')
  local problems = vim.g.mux ~= nil and config.problems(vim.g.mux) or {}
  for _, problem in ipairs(problems) do
    vim.health.error('vim.g.mux: ' .. problem, 'see :help mux-settings')
  end
  if #problems == 0 then
    vim.health.ok('the settings are valid')
  end
end

---@return boolean
local function check_program()
  local program = require('mux.server').program()
  local path = vim.fn.exepath(program[1])
  if path == '' then
    vim.health.error(
      program[1] .. ' was not found',
      { 'install it (:help mux-install)', 'or set `program` (:help mux-settings)' }
    )
    return false
  end
  local done = vim.system(vim.list_extend(program, { '--version' }), { text = true, timeout = 10000 }):wait()
  if done.code ~= 0 then
    vim.health.error(('%s --version ended with status %d'):format(path, done.code), sanitized(done.stderr or ''))
    return false
  end
  vim.health.ok(('%s (%s)'):format(sanitized(vim.trim(done.stdout or '')), path))
  return true
end

local function check_connection()
  local connection = require('mux.connection')
  local status, failure ---@type mux.protocol.StatusResult?, string?
  connection.request('mux.status', {}, function(result, err)
    status, failure = result, err
  end)
  vim.wait(10000, function()
    return status ~= nil or failure ~= nil
  end, 10)
  if status then
    vim.health.ok(('the daemon answers: mux-lsp %s, pid %d'):format(sanitized(status.version), status.pid))
  else
    vim.health.error(
      'the daemon does not answer: ' .. (failure or 'it took more than 10 s'),
      { 'run `mux-lsp doctor` in a terminal', 'run :Mux restart' }
    )
  end
end

local function check_buffer()
  local connection = require('mux.connection')
  local attached = vim.tbl_filter(connection.is_attached, vim.api.nvim_list_bufs())
  if #attached > 0 then
    vim.health.ok(('attached buffers: %d'):format(#attached))
  else
    vim.health.info('no buffer is attached: open a file of a git repository')
  end
end

function M.check()
  vim.health.start('mux')
  check_neovim()
  check_settings()
  if check_program() then
    check_connection()
    check_buffer()
  end
end

return M
