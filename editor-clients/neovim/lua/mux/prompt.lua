--- Starting tasks and having runs go on: a prompt from the command line, from a selection or from a buffer of its own.
local config = require('mux.config')
local connection = require('mux.connection')
local repository = require('mux.repository')
local safe = require('mux.safe')
local tell = require('mux.tell')

local M = {}

---@class mux.Start
---@field prompt string
---@field agents? mux.protocol.RequestedAgent[]
---@field checks? string[]
---@field context? mux.protocol.ContextPlace[]
---@field repository? string a URI

local marks = vim.api.nvim_create_namespace('mux.prompt')

--- An agent as it is written: `NAME`, `NAME:MODEL`, `NAME*3`, `sh:COMMAND`.
---@param written string
---@return mux.protocol.RequestedAgent
function M.choice(written)
  local name, count = written:match('^(.-)%*(%d+)$')
  name = name or written
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
  return names and vim.tbl_map(M.choice, names) or nil
end

--- Some lines as context, wherever they are by the time that a prompt is written.
---@param lines mux.Lines
---@return fun(): mux.protocol.ContextPlace[]?
local function following(lines)
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
---@param failed? fun() it was not started, and the reason has been told
function M.start(task, done, failed)
  local argument = {
    prompt = task.prompt,
    agents = task.agents or default_agents(),
    checks = task.checks,
    context = task.context,
    repository = task.repository or vim.uri_from_fname(repository.here() or vim.fn.getcwd()),
  }
  connection.request('mux.task.start', argument, function(answer, failure)
    if failure then
      tell.error(failure)
      return failed and failed()
    end
    for _, notice in ipairs(answer.task.notices) do
      tell.warn(notice)
    end
    if done then
      done(answer.task)
    else
      local runs = #answer.task.runs
      tell.say(('%s has begun, with %d %s'):format(answer.task.id, runs, runs == 1 and 'run' or 'runs'))
    end
  end)
end

--- Have something written in a buffer. What could not be sent is there again.
---@param title string
---@param send fun(text: string, failed?: fun())
---@param text? string what stands in it already
local function ask(title, send, text)
  require('mux.highlights').setup()
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].buftype = 'acwrite'
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].swapfile = false
  vim.api.nvim_buf_set_name(buf, ('mux-prompt-%d'):format(buf))
  -- What comes back later does not take what is being typed.
  local enter = text == nil or vim.api.nvim_get_mode().mode == 'n'
  local win = vim.api.nvim_open_win(buf, enter, { split = 'below', win = -1, height = 7 })
  vim.bo[buf].filetype = 'markdown'
  vim.wo[win][0].winfixheight = true
  vim.wo[win][0].winbar = '%#MuxLabel#' .. safe.statusline(title .. '. :w sends, :q! leaves it.')
  vim.api.nvim_create_autocmd('BufWriteCmd', {
    buffer = buf,
    callback = function()
      local written = vim.trim(table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), '\n'))
      if written == '' then
        return tell.warn('the prompt is empty')
      end
      vim.bo[buf].modified = false
      vim.schedule(function()
        -- `:wq` has closed it by now.
        if vim.api.nvim_buf_is_valid(buf) then
          vim.api.nvim_buf_delete(buf, { force = true })
        end
        send(written, function()
          ask(title, send, written)
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

--- Start a task with a prompt, or with one that is written in a buffer first; some lines go with it as context.
---@param prompt string
---@param agents string[]
---@param lines? mux.Lines
function M.run(prompt, agents, lines)
  local context = lines and following(lines)
  local root = repository.here() or vim.fn.getcwd()
  ---@param text string
  ---@param failed? fun()
  local function send(text, failed)
    M.start({
      prompt = text,
      agents = #agents > 0 and vim.tbl_map(M.choice, agents) or nil,
      context = context and context() or nil,
      repository = vim.uri_from_fname(root),
    }, nil, failed)
  end
  if prompt ~= '' then
    return send(prompt)
  end
  local about = lines and (' about lines %d to %d'):format(lines.first + 1, lines.last + 1) or ''
  ask('What is to be done' .. about, send)
end

--- Have a run go on with a message, or with one that is written in a buffer first.
---@param run string
---@param message? string
function M.continue(run, message)
  ---@param text string
  ---@param failed? fun()
  local function send(text, failed)
    connection.request('mux.run.continue', { run = run, message = text }, function(_, failure)
      if failure then
        tell.error(failure)
        return failed and failed()
      end
      tell.say(('%s goes on'):format(run))
    end)
  end
  if message and message ~= '' then
    return send(message)
  end
  ask(('What %s is to do next'):format(run), send)
end

return M
