--- What happens, told within the plugin and, as `User` autocommands, to everybody else.
local M = {}

--- Every event, by the pattern of its autocommand.
---@enum mux.Event
M.names = {
  connected = 'MuxConnected',
  disconnected = 'MuxDisconnected',
  task_changed = 'MuxTaskChanged',
  task_deleted = 'MuxTaskDeleted',
  task_ended = 'MuxTaskEnded',
  run_changed = 'MuxRunChanged',
  run_finished = 'MuxRunFinished',
  run_failed = 'MuxRunFailed',
  run_cancelled = 'MuxRunCancelled',
  run_interrupted = 'MuxRunInterrupted',
  run_output = 'MuxRunOutput',
  review_changed = 'MuxReviewChanged',
  places_changed = 'MuxPlacesChanged',
  permission_requested = 'MuxPermissionRequested',
  permission_settled = 'MuxPermissionSettled',
}

--- What each says: the `data` of the autocommand, and when it comes.
---@type table<mux.Event, { data: string, what: string }>
M.what = {
  MuxConnected = { data = '{}', what = 'the daemon answers, and the tasks are known' },
  MuxDisconnected = { data = '{}', what = 'the daemon or the bridge has gone' },
  MuxTaskChanged = { data = '{ task }', what = 'it began or changed' },
  MuxTaskDeleted = { data = '{ task }', what = 'a task was deleted' },
  MuxTaskEnded = { data = '{ task }', what = 'the last of its runs came to an end' },
  MuxRunChanged = { data = '{ run, previous }', what = 'its state, its result or a check of it' },
  MuxRunFinished = { data = '{ run }', what = 'a run has finished' },
  MuxRunFailed = { data = '{ run }', what = 'a run has failed' },
  MuxRunCancelled = { data = '{ run }', what = 'a run was cancelled' },
  MuxRunInterrupted = { data = '{ run }', what = 'a run was interrupted' },
  MuxRunOutput = { data = '{ run, stream, offset, text }', what = 'what its agent printed' },
  MuxReviewChanged = { data = '{ uris, more }', what = 'there is something else to review in these documents' },
  MuxPlacesChanged = { data = '{ buf }', what = 'what is drawn in a buffer' },
  MuxPermissionRequested = { data = '{ permission }', what = 'an agent asks leave for something' },
  MuxPermissionSettled = { data = '{ id, task, answer }', what = 'it was answered, or is moot' },
}

---@type table<mux.Event, fun(data: table)[]>
local listeners = {}

--- Have a function called whenever something happens, before the autocommands.
---@param name mux.Event
---@param listener fun(data: table)
function M.on(name, listener)
  listeners[name] = listeners[name] or {}
  table.insert(listeners[name], listener)
end

---@param name mux.Event
---@param data table
function M.emit(name, data)
  for _, listener in ipairs(listeners[name] or {}) do
    listener(data)
  end
  vim.api.nvim_exec_autocmds('User', { pattern = name, modeline = false, data = data })
end

return M
