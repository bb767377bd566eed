--- Format runs and tasks for windows and messages.
local sanitize = require('mux.sanitize')

local M = {}

---@type table<string, string> the highlight group of each state
local GROUPS = {
  queued = 'MuxEnded',
  preparing = 'MuxBusy',
  running = 'MuxBusy',
  waiting = 'MuxWaiting',
  checking = 'MuxBusy',
  finished = 'MuxDone',
  failed = 'MuxFailed',
  cancelled = 'MuxEnded',
  interrupted = 'MuxEnded',
}

---@param state string
---@return string
function M.group(state)
  return GROUPS[state] or 'MuxBusy'
end

---@param seconds number
---@return string
function M.duration(seconds)
  local whole = math.max(0, math.floor(seconds))
  if whole < 60 then
    return ('%ds'):format(whole)
  elseif whole < 3600 then
    return ('%dm%02ds'):format(math.floor(whole / 60), whole % 60)
  end
  return ('%dh%02dm'):format(math.floor(whole / 3600), math.floor(whole / 60) % 60)
end

--- Return the elapsed time of a run.
---@param run mux.protocol.RunShape
---@return string
function M.elapsed(run)
  if not run.started then
    return ''
  end
  return M.duration((run.finished or os.time()) - run.started)
end

---@param count integer
---@return string
function M.tokens(count)
  if count < 1000 then
    return ('%d tok'):format(count)
  elseif count < 1000000 then
    return ('%.1fk tok'):format(count / 1000)
  end
  return ('%.1fM tok'):format(count / 1000000)
end

---@param run mux.protocol.RunShape
---@return string
function M.lines(run)
  return run.file_count > 0 and ('+%d −%d'):format(run.added, run.removed) or ''
end

---@param run mux.protocol.RunShape
---@return string
function M.checks(run)
  local passed = 0
  for _, check in ipairs(run.checks) do
    if check.state == 'running' then
      return 'checks …'
    end
    passed = passed + (check.state == 'passed' and 1 or 0)
  end
  return #run.checks > 0 and ('checks %d/%d'):format(passed, #run.checks) or ''
end

---@param run mux.protocol.RunShape
---@return string
function M.agent(run)
  return sanitize.line(run.model and ('%s:%s'):format(run.agent, run.model) or run.agent)
end

--- Return the outcome of a task, as one line.
---@param task mux.protocol.TaskShape
---@return string
function M.ended(task)
  local finished, changed = 0, {} ---@type integer, table<string, true>
  local max_files = 0 -- of one run, which may not list all of its files
  for _, run in ipairs(task.runs) do
    finished = finished + (run.state == 'finished' and 1 or 0)
    max_files = math.max(max_files, run.file_count)
    for _, file in ipairs(run.files) do
      changed[file.path] = true
    end
  end
  local words = ('%s: %d of %d finished'):format(task.id, finished, #task.runs)
  local files = math.max(max_files, vim.tbl_count(changed))
  if files > 0 then
    return ('%s, %d %s to review'):format(words, files, files == 1 and 'file' or 'files')
  end
  local failed = vim.iter(task.runs):find(function(run)
    return run.state == 'failed' and run.reason
  end)
  return words .. (failed and (': ' .. sanitize.short(failed.reason, 80)) or ', nothing was changed')
end

return M
