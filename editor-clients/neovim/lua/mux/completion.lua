--- Complete the arguments of `:Mux`: tasks, runs, files of runs and agents.
local M = {}

--- Milliseconds for which completion waits for the daemon.
local WAIT_MILLISECONDS = 2000

--- Return the words with a prefix.
---@param words string[]
---@param lead string
---@return string[]
function M.matching(words, lead)
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, words)
end

--- Start a request, and wait for its result: a completion function cannot return later.
---@param request fun(done: fun())
local function wait_for(request)
  local done = false
  request(function()
    done = true
  end)
  vim.wait(WAIT_MILLISECONDS, function()
    return done
  end, 10)
end

---@return mux.protocol.TaskShape[]
local function tasks()
  local store = require('mux.store')
  wait_for(store.when_loaded)
  return store.tasks(require('mux.repository').here())
end

---@param lead string
---@return string[]
function M.runs(lead)
  local found = {} ---@type string[]
  for _, task in ipairs(tasks()) do
    for _, run in ipairs(task.runs) do
      table.insert(found, run.id)
    end
  end
  return M.matching(found, lead)
end

---@param lead string
---@return string[]
function M.tasks(lead)
  return M.matching(
    vim.tbl_map(function(task)
      return task.id
    end, tasks()),
    lead
  )
end

--- Return tasks and runs.
---@param lead string
---@return string[]
function M.ids(lead)
  return vim.list_extend(M.tasks(lead), M.runs(lead))
end

---@param run_id string
---@param lead string
---@return string[]
local function paths(run_id, lead)
  local run = require('mux.store').run(run_id)
  local found = {} ---@type string[]
  for _, file in ipairs(run and run.files or {}) do
    if not file.path:find('%c') then
      table.insert(found, (file.path:gsub('[ \\]', '\\%0'))) -- escaped, as one argument
    end
  end
  return M.matching(found, lead)
end

--- Return a run, then its files.
---@param lead string
---@param arguments string[]
---@return string[]
function M.run_and_paths(lead, arguments)
  if #arguments == 0 then
    return M.runs(lead)
  end
  return paths(arguments[1], lead)
end

--- Return `file` and runs, then the files of a run.
---@param lead string
---@param arguments string[]
---@return string[]
function M.decision(lead, arguments)
  if #arguments == 0 then
    return vim.list_extend(M.matching({ 'file' }, lead), M.runs(lead))
  end
  return paths(arguments[1], lead)
end

---@type string[] the names of agents, as last reported
local agents = {}

---@param lead string
---@return string[]
function M.agents(lead)
  wait_for(function(done)
    require('mux.connection').request('mux.agent.list', {}, function(result)
      agents = vim.tbl_map(function(agent)
        return agent.name
      end, result and result.agents or {})
      done()
    end)
  end)
  return M.matching(agents, lead)
end

return M
