--- Start and supervise `mux-lsp serve`, the process that connects to the daemon. Each problem is reported once, here and not
--- by Neovim.
local config = require('mux.config')
local events = require('mux.events')
local sanitize = require('mux.sanitize')
local sync = require('mux.sync')
local notify = require('mux.notify')

local M = {}

--- The version of the mux protocol that this client speaks.
M.PROTOCOL = 2

--- The commands that the plugin requires.
local REQUIRED = { 'mux.task.start', 'mux.task.list', 'mux.review.places', 'mux.variant.show', 'mux.document.get' }

--- Milliseconds before each attempt to reconnect.
local PAUSES = { 0, 250, 1000, 2000, 4000, 8000 }

---@class mux.Listener
---@field ended fun(again: boolean) called when the connection has ended, with whether to connect again

---@type mux.Listener?
local listener
---@type string? the reason why there is no connection, until the person connects again
local refusal
local reported = {} ---@type table<string, true>
local was_connected = false
local tries = 0

--- The refused connections, which are about to end.
---@type table<table, true>
M.refused = setmetatable({}, { __mode = 'k' })

--- Set the listener for the end of a connection.
---@param one mux.Listener
function M.listen(one)
  listener = one
end

---@param message string
--- Report why there is no connection, once.
---@param message string
local function report(message)
  refusal = message
  if not reported[message] then
    reported[message] = true
    notify.error(message)
  end
end

--- Return the command line of the program, from the settings, without the subcommand.
---@return string[]
function M.program()
  local program = config.get().program
  if type(program) == 'table' then
    return vim.deepcopy(program)
  end
  return { vim.fs.normalize(program) }
end

--- Return whether to try a connection. If not, the reason was reported.
---@return boolean
function M.available()
  if refusal then
    return false
  end
  local program = M.program()[1]
  if vim.fn.executable(program) == 1 then
    return true
  end
  report(
    program == 'mux-lsp' and 'no mux-lsp on the PATH: pip install mux-lsp (:help mux-install)'
      or ('the setting `program`: there is no %s (:help mux-install)'):format(program)
  )
  return false
end

--- Return the reason why there is no connection.
---@return string
function M.reason()
  return refusal or 'mux-lsp is not connected'
end

--- Forget earlier failures, when the person connects again.
function M.reset()
  refusal, reported, tries = nil, {}, 0
end

---@param result table the answer to `initialize`
---@return string? problem
local function find_problem(result)
  local commands = vim.tbl_get(result, 'capabilities', 'executeCommandProvider', 'commands') or {}
  local missing = vim.tbl_filter(function(name)
    return not vim.tbl_contains(commands, name)
  end, REQUIRED)
  if #missing == 0 then
    return nil
  end
  local version = vim.tbl_get(result, 'serverInfo', 'version')
  return ('mux-lsp %s is too old: pip install -U mux-lsp, then :Mux restart'):format(
    version and sanitize.line(tostring(version)) or 'as installed'
  )
end

---@param code integer
---@param signal integer
---@param state { answered: boolean, refused: boolean }
local function ended(code, signal, state)
  local deliberate = code == 0 and signal == 0
  if vim.v.exiting ~= vim.NIL or state.refused then
    return
  end
  if not state.answered and not was_connected then
    local status = signal ~= 0 and 128 + signal or code
    local name = vim.fs.basename(M.program()[1])
    report(('`%s serve` ended with status %d: see :checkhealth mux'):format(name, status))
    deliberate = true
  end
  if state.answered then
    tries = 0
  end
  events.emit(events.names.disconnected, {})
  if deliberate then
    return listener and listener.ended(false)
  end
  tries = tries + 1
  local pause = PAUSES[tries]
  if not pause then
    report('the daemon cannot be reached: see :checkhealth mux')
    return listener and listener.ended(false)
  end
  vim.defer_fn(function()
    if listener and not refusal then
      listener.ended(true)
    end
  end, pause)
end

--- Start `mux-lsp serve`, as `cmd` of a client.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
function M.start(dispatchers)
  local state = { answered = false, refused = false }
  local command = M.program()
  table.insert(command, 'serve')
  ---@type vim.lsp.rpc.Dispatchers
  local own = {
    notification = function(method, params)
      -- The reason for a missing daemon comes twice, as a message and as the response to `initialize`.
      if state.answered or method ~= 'window/showMessage' then
        dispatchers.notification(method, params)
      end
    end,
    server_request = dispatchers.server_request,
    on_error = dispatchers.on_error,
    on_exit = function(code, signal)
      -- Neovim would report another status itself.
      dispatchers.on_exit(0, 0)
      vim.schedule(function()
        ended(code, signal, state)
      end)
    end,
  }
  local rpc = vim.lsp.rpc.start(command, own)
  assert(rpc, 'mux-lsp did not start')
  sync.follow(rpc)
  local request = rpc.request
  ---@diagnostic disable-next-line: duplicate-set-field
  rpc.request = function(method, params, callback, notify_reply)
    if method ~= 'initialize' then
      return request(method, params, callback, notify_reply)
    end
    return request(method, params, function(err, result)
      local problem = err and sanitize.line((err.message or tostring(err)):gsub('^mux%-lsp: ', ''))
        or find_problem(result)
      if problem then
        state.refused = true
        M.refused[rpc] = true
        report(problem)
        rpc.terminate()
        return listener and listener.ended(false)
      end
      state.answered, was_connected = true, true
      callback(err, result)
    end, notify_reply)
  end
  return rpc
end

return M
