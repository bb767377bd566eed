--- Start tasks and continue runs, with a prompt from the command line or from a buffer to write it in.
local config = require('mux.config')
local connection = require('mux.connection')
local repository = require('mux.repository')
local sanitize = require('mux.sanitize')
local notify = require('mux.notify')

local M = {}

---@class mux.Start
---@field prompt string
---@field agents? mux.protocol.RequestedAgent[]
---@field checks? string[]
---@field context? mux.protocol.ContextPlace[]
---@field repository? string a URI

local marks = vim.api.nvim_create_namespace('mux.prompt')

--- Parse an agent: `NAME`, `NAME:MODEL`, `NAME*3` or `sh:COMMAND`.
---@param text string
---@return mux.protocol.RequestedAgent
function M.parse_agent(text)
  local name, count = text:match('^(.-)%*(%d+)$')
  name = name or text
  ---@type mux.protocol.RequestedAgent
  local choice = {
    agent = name,
    count = tonumber(count) --[[@as integer?]],
  }
  if not name:find('^sh:') then
    local agent, model = name:match('^([^:]+):(.+)$')
    if agent then
      choice.agent, choice.model = agent, model
    end
  end
  return choice
end

---@return mux.protocol.RequestedAgent[]?
local function default_agents()
  local names = config.get().agents
  return names and vim.tbl_map(M.parse_agent, names) or nil
end

--- Track some lines while a prompt is written. The result returns them as context.
---@param lines mux.Lines
---@return fun(): mux.protocol.ContextPlace[]?
local function track(lines)
  local buf = vim.api.nvim_get_current_buf()
  local mark = vim.api.nvim_buf_set_extmark(buf, marks, lines.first, 0, {
    end_row = lines.last + 1,
    end_col = 0,
    strict = false,
    end_right_gravity = false,
  })
  return function()
    if not vim.api.nvim_buf_is_loaded(buf) then
      return nil
    end
    local found = vim.api.nvim_buf_get_extmark_by_id(buf, marks, mark, { details = true })
    local first, details = assert(found[1]), assert(found[3])
    local stop = assert(details.end_row) + (details.end_col > 0 and 1 or 0)
    local range = {
      start = { line = first, character = 0 },
      ['end'] = { line = math.max(stop, first + 1), character = 0 },
    }
    return { { uri = vim.uri_from_bufnr(buf), range = range } }
  end
end

--- Start a task.
---@param task mux.Start
---@param done? fun(task: mux.protocol.TaskShape)
---@param failed? fun() called when the task was not started, after the reason was reported
function M.start(task, done, failed)
  local argument = {
    prompt = task.prompt,
    agents = task.agents or default_agents(),
    checks = task.checks,
    context = task.context,
    repository = task.repository or vim.uri_from_fname(repository.here() or vim.fn.getcwd()),
  }
  connection.request('mux.task.start', argument, function(result, failure)
    if failure then
      notify.error(failure)
      return failed and failed()
    end
    for _, notice in ipairs(result.task.notices) do
      notify.warn(notice)
    end
    if done then
      done(result.task)
    else
      local runs = #result.task.runs
      notify.echo(('%s started with %d %s'):format(result.task.id, runs, runs == 1 and 'run' or 'runs'))
    end
  end)
end

--- Open a buffer to write a prompt in. Where sending fails, it opens again with the text.
---@param title string
---@param send fun(text: string, failed?: fun())
---@param text? string the initial text
local function compose(title, send, text)
  require('mux.highlights').setup()
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].buftype = 'acwrite'
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].swapfile = false
  vim.api.nvim_buf_set_name(buf, ('mux-prompt-%d'):format(buf))
  -- A buffer that opens again must not take the focus while the person types elsewhere.
  local enter = text == nil or vim.api.nvim_get_mode().mode == 'n'
  local win = vim.api.nvim_open_win(buf, enter, { split = 'below', win = -1, height = 7 })
  vim.bo[buf].filetype = 'markdown'
  vim.wo[win][0].winfixheight = true
  vim.wo[win][0].winbar = '%#MuxLabel#' .. sanitize.statusline(title .. ' (:w sends it, :q! cancels)')
  vim.api.nvim_create_autocmd('BufWriteCmd', {
    buffer = buf,
    callback = function()
      local written = vim.trim(table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), '\n'))
      if written == '' then
        return notify.warn('the prompt is empty')
      end
      vim.bo[buf].modified = false
      vim.schedule(function()
        -- `:wq` has already closed it.
        if vim.api.nvim_buf_is_valid(buf) then
          vim.api.nvim_buf_delete(buf, { force = true })
        end
        send(written, function()
          compose(title, send, written)
        end)
      end)
    end,
  })
  if text then
    vim.api.nvim_buf_set_lines(buf, 0, -1, false, vim.split(text, '\n', { plain = true }))
  else
    vim.cmd.startinsert()
  end
end

--- Start a task; without a prompt, open a buffer to write one. The lines are the context of the task.
---@param prompt string
---@param agents string[]
---@param lines? mux.Lines
function M.run(prompt, agents, lines)
  local context = lines and track(lines)
  local root = repository.here() or vim.fn.getcwd()
  ---@param text string
  ---@param failed? fun()
  local function send(text, failed)
    M.start({
      prompt = text,
      agents = #agents > 0 and vim.tbl_map(M.parse_agent, agents) or nil,
      context = context and context() or nil,
      repository = vim.uri_from_fname(root),
    }, nil, failed)
  end
  if prompt ~= '' then
    return send(prompt)
  end
  local about = lines and (' about lines %d to %d'):format(lines.first + 1, lines.last + 1) or ''
  compose('Prompt' .. about, send)
end

--- Continue a run with a message; without one, open a buffer to write it.
---@param run string
---@param message? string
function M.continue(run, message)
  ---@param text string
  ---@param failed? fun()
  local function send(text, failed)
    connection.request('mux.run.continue', { run = run, message = text }, function(_, failure)
      if failure then
        notify.error(failure)
        return failed and failed()
      end
      notify.echo(('%s continues'):format(run))
    end)
  end
  if message and message ~= '' then
    return send(message)
  end
  compose(('Message to %s'):format(run), send)
end

return M
