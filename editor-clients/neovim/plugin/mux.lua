-- Define the command and the mappings, and attach to files when they are opened. All other modules are loaded when they are
-- first needed.
if vim.g.loaded_mux then
  return
end
vim.g.loaded_mux = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('mux: this plugin needs Neovim 0.10 or newer.', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('Mux', function(call)
  require('mux.command').run(call)
end, {
  nargs = '*',
  range = true,
  desc = 'Start coding agents and review their changes',
  complete = function(lead, line, position)
    return require('mux.command').complete(lead, line, position)
  end,
})

require('mux.keymaps').define()

local documents = vim.api.nvim_create_augroup('mux.documents', {})
vim.api.nvim_create_autocmd('BufReadCmd', {
  group = documents,
  pattern = 'mux:/*',
  desc = 'mux: read-only documents',
  callback = function(event)
    require('mux.document').read(event.buf, event.match)
  end,
})
vim.api.nvim_create_autocmd('SessionLoadPost', {
  group = documents,
  desc = 'mux: read the documents of a session again, which has only their names',
  callback = function()
    for _, buf in ipairs(vim.api.nvim_list_bufs()) do
      local name = vim.api.nvim_buf_get_name(buf)
      if vim.api.nvim_buf_is_loaded(buf) and name:find('^mux:/') then
        require('mux.document').read(buf, name)
      end
    end
  end,
})

local attaching = vim.api.nvim_create_augroup('mux.attach', {})

-- Define the suggested keymaps, and attach to the files that are open and to those opened later.
local function start()
  if vim.g.mux ~= nil then
    require('mux.keymaps').suggest()
  end
  vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'FileType' }, {
    group = attaching,
    desc = 'mux: attach to the files of git repositories',
    callback = function(event)
      vim.schedule(function()
        require('mux.attach').consider(event.buf)
      end)
    end,
  })
  vim.schedule(function()
    for _, buf in ipairs(vim.api.nvim_list_bufs()) do
      if vim.api.nvim_buf_is_loaded(buf) and vim.api.nvim_buf_get_name(buf) ~= '' then
        require('mux.attach').consider(buf)
      end
    end
  end)
end

if vim.v.vim_did_enter == 1 then
  start() -- a plugin manager has loaded it late
else
  vim.api.nvim_create_autocmd('VimEnter', { group = attaching, once = true, desc = 'mux: start', callback = start })
end
