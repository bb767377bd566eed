--- `:Mux`, a table of subcommands with what each does and how its arguments are completed.
local tell = require('mux.tell')

local M = {}

---@class mux.Call
---@field arguments string[]
---@field rest string everything behind the subcommand, as it was typed
---@field lines mux.Lines? the range, where one was given
---@field count integer? the range as a count

---@class mux.Subcommand
---@field arguments string what it takes, as the help has it
---@field what string
---@field run fun(call: mux.Call)
---@field complete? fun(lead: string, arguments: string[]): string[] `arguments` are those in front of `lead`

---@param words string[]
---@param lead string
---@return string[]
local function beginning_with(words, lead)
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, words)
end

--- Ask, and wait a moment for the answer: completion has no other way.
---@param ask fun(done: fun())
local function answered(ask)
  local known = false
  ask(function()
    known = true
  end)
  vim.wait(2000, function()
    return known
  end, 10)
end

---@return mux.protocol.TaskShape[]
local function tasks()
  local store = require('mux.store')
  answered(store.when_loaded)
  return store.tasks(require('mux.repository').here())
end

---@param lead string
---@return string[]
local function complete_runs(lead)
  local found = {} ---@type string[]
  for _, task in ipairs(tasks()) do
    for _, run in ipairs(task.runs) do
      table.insert(found, run.id)
    end
  end
  return beginning_with(found, lead)
end

---@param lead string
---@return string[]
local function complete_tasks(lead)
  return beginning_with(
    vim.tbl_map(function(task)
      return task.id
    end, tasks()),
    lead
  )
end

---@param lead string
---@return string[]
local function complete_ids(lead)
  return vim.list_extend(complete_tasks(lead), complete_runs(lead))
end

---@param run_id string
---@param lead string
---@return string[]
local function complete_paths(run_id, lead)
  local run = require('mux.store').run(run_id)
  local paths = {} ---@type string[]
  for _, file in ipairs(run and run.files or {}) do
    if not file.path:find('%c') then
      table.insert(paths, (file.path:gsub('[ \\]', '\\%0'))) -- as one argument
    end
  end
  return beginning_with(paths, lead)
end

---@param lead string
---@param arguments string[]
---@return string[]
local function complete_run_and_paths(lead, arguments)
  if #arguments == 0 then
    return complete_runs(lead)
  end
  return complete_paths(arguments[1], lead)
end

---@param lead string
---@param arguments string[]
---@return string[]
local function complete_decision(lead, arguments)
  if #arguments == 0 then
    return vim.list_extend(beginning_with({ 'file' }, lead), complete_runs(lead))
  end
  return complete_paths(arguments[1], lead)
end

---@param verb 'accept'|'reject'
---@return fun(call: mux.Call)
local function deciding(verb)
  return function(call)
    local review = require('mux.review')
    local what = call.arguments[1]
    if what == 'file' then
      review[verb](review.all_lines())
    elseif what then
      review.whole(verb, what, vim.list_slice(call.arguments, 2))
    else
      review[verb](call.lines)
    end
  end
end

--- The id that was given, or that of what the cursor is at.
---@param call mux.Call
---@param what string
---@return string?
local function id_of(call, what)
  local id = call.arguments[1] or require('mux.keys').id_here()
  if not id then
    tell.error(('which %s? :Mux tasks shows those there are.'):format(what))
  end
  return id
end

--- Do something with the run that was given, or that the cursor is at, once the runs there are are known.
---@param call mux.Call
---@param does fun(run: string)
local function with_run(call, does)
  local keys = require('mux.keys')
  local given = call.arguments[1]
  local id = given or keys.id_here()
  require('mux.store').when_loaded(function(failure)
    local run = id and keys.run_of(id)
    if run then
      return does(run)
    end
    local what = given and ('%s is no run;'):format(given) or 'which run?'
    tell.error(failure or ('%s :Mux tasks shows those there are.'):format(what))
  end)
end

---@type string[] the names of agents, as they were told last
local agents = {}

---@param lead string
---@return string[]
local function complete_agents(lead)
  answered(function(done)
    require('mux.connection').request('mux.agent.list', {}, function(answer)
      agents = vim.tbl_map(function(agent)
        return agent.name
      end, answer and answer.agents or {})
      done()
    end)
  end)
  return beginning_with(agents, lead)
end

---@param call mux.Call
local function start(call)
  local chosen = {} ---@type string[]
  local rest = call.rest
  while true do
    local agent, behind = rest:match('^%-a%s+(%S+)%s*(.*)$')
    if not agent then
      break
    end
    table.insert(chosen, agent)
    rest = assert(behind)
  end
  if rest == '-a' then
    return tell.error('-a needs the name of an agent behind it')
  end
  require('mux.prompt').run(rest, chosen, call.lines)
end

---@param call mux.Call
---@param default integer
---@return integer
local function number_of(call, default)
  return math.floor(tonumber(call.arguments[1]) or call.count or default)
end

---@type table<string, mux.Subcommand>
M.subcommands = {
  run = {
    arguments = '[-a AGENT[*N]]… [PROMPT]',
    what = 'start a task; the lines of a range go with it as context; without a prompt in a buffer to write it in',
    run = start,
    complete = function(lead, arguments)
      return arguments[#arguments] == '-a' and complete_agents(lead) or {}
    end,
  },
  tasks = {
    arguments = '',
    what = 'open the tasks window',
    run = function()
      require('mux.tasks').open()
    end,
  },
  task = {
    arguments = '[TASK]',
    what = 'open the tasks window at a task',
    run = function(call)
      require('mux.tasks').open(call.arguments[1] or require('mux.keys').id_here())
    end,
    complete = complete_tasks,
  },
  log = {
    arguments = '[RUN]',
    what = 'show what a run says and does, as it does it',
    run = function(call)
      with_run(call, require('mux.document').transcript)
    end,
    complete = complete_runs,
  },
  diff = {
    arguments = '[RUN [PATH]]',
    what = 'show a file beside what a run makes of it; without a run the change under the cursor',
    run = function(call)
      require('mux.diff').open(call.arguments[1], call.arguments[2])
    end,
    complete = complete_run_and_paths,
  },
  compare = {
    arguments = '[TASK]',
    what = 'show the runs of a task side by side; those of the newest one where no other is meant',
    run = function(call)
      local store = require('mux.store')
      local id, root = call.arguments[1] or require('mux.keys').id_here(), require('mux.repository').here()
      store.when_loaded(function(failure)
        local newest = store.tasks(root)[1]
        id = id or newest and newest.id
        if failure or not id then
          return tell.error(failure or 'there is no task yet; :Mux run PROMPT starts one.')
        end
        require('mux.document').compare(store.task_of(id))
      end)
    end,
    complete = complete_tasks,
  },
  hunks = {
    arguments = '[RUN]',
    what = 'a quickfix list of all that waits in the repository, or of a run',
    run = function(call)
      require('mux.pick').quickfix(call.arguments[1])
    end,
    complete = complete_runs,
  },
  select = {
    arguments = '[RUN]',
    what = 'a menu of all that waits in the repository, or of a run; the choice is gone to',
    run = function(call)
      require('mux.pick').select(call.arguments[1])
    end,
    complete = complete_runs,
  },
  rejected = {
    arguments = '[RUN]',
    what = 'a menu of what was rejected in the repository, or of a run; the choice is accepted after all, and waits again once that is undone',
    run = function(call)
      require('mux.pick').rejected(call.arguments[1])
    end,
    complete = complete_runs,
  },
  cancel = {
    arguments = '[TASK | RUN]',
    what = 'end a run, or all runs of a task; what they made is kept',
    run = function(call)
      local id = id_of(call, 'task or run')
      if id then
        require('mux.keys').cancel(id)
      end
    end,
    complete = complete_ids,
  },
  continue = {
    arguments = '[RUN] [MESSAGE]',
    what = 'have a run go on; without a message in a buffer to write it in',
    run = function(call)
      local run, message = call.rest:match('^(%w+%-%d+)%s*(.*)$')
      if not run or not require('mux.store').run(run) then
        -- A message may begin like an id.
        local here = require('mux.keys').id_here()
        here = here and require('mux.keys').run_of(here)
        run, message = here or run, here and call.rest or message
      end
      if not run then
        return tell.error('which run? :Mux tasks shows those there are.')
      end
      require('mux.prompt').continue(run, message)
    end,
    complete = complete_runs,
  },
  pick = {
    arguments = '[RUN]',
    what = 'accept all that a run did and throw the other runs of its task away',
    run = function(call)
      with_run(call, require('mux.keeping').pick)
    end,
    complete = complete_runs,
  },
  discard = {
    arguments = '[TASK | RUN]',
    what = 'throw a run away, or all runs of a task, after asking; :Mux restore brings them back',
    run = function(call)
      local id = id_of(call, 'task or run')
      if id then
        require('mux.keeping').discard(id)
      end
    end,
    complete = complete_ids,
  },
  restore = {
    arguments = '[TASK | RUN]',
    what = 'bring back what was thrown away',
    run = function(call)
      local id = id_of(call, 'task or run')
      if id then
        require('mux.keeping').restore(id)
      end
    end,
    complete = complete_ids,
  },
  retry = {
    arguments = '[RUN]',
    what = 'do once more what a run did, from the beginning, as another run',
    run = function(call)
      with_run(call, require('mux.keeping').retry)
    end,
    complete = complete_runs,
  },
  delete = {
    arguments = '[TASK | RUN]',
    what = 'forget a task or a run with all that it made, after asking',
    run = function(call)
      local id = id_of(call, 'task or run')
      if id then
        require('mux.keeping').delete(id)
      end
    end,
    complete = complete_ids,
  },
  pause = {
    arguments = '[TASK]',
    what = 'have the runs of a task that have not begun wait',
    run = function(call)
      local id = id_of(call, 'task')
      if id then
        require('mux.keeping').hold(id, 'pause')
      end
    end,
    complete = complete_tasks,
  },
  resume = {
    arguments = '[TASK]',
    what = 'have the runs of a paused task begin after all',
    run = function(call)
      local id = id_of(call, 'task')
      if id then
        require('mux.keeping').hold(id, 'resume')
      end
    end,
    complete = complete_tasks,
  },
  verify = {
    arguments = '[RUN [PATH …]]',
    what = 'run the checks on the text as it is, or with what a run would change; failures are in the quickfix list',
    run = function(call)
      require('mux.verify').verify(call.arguments[1], vim.list_slice(call.arguments, 2))
    end,
    complete = complete_run_and_paths,
  },
  permission = {
    arguments = '[once | run | task | always | refuse [REASON]]',
    what = 'answer what an agent asks leave for; without an answer by a menu',
    run = function(call)
      local answer, reason = call.rest:match('^(%S+)%s*(.*)$')
      require('mux.permission').answer(answer, reason ~= '' and reason or nil)
    end,
    complete = function(lead)
      return beginning_with({ 'once', 'run', 'task', 'always', 'refuse' }, lead)
    end,
  },
  agents = {
    arguments = '',
    what = 'say which agents there are',
    run = function()
      require('mux.status').agents()
    end,
  },
  status = {
    arguments = '',
    what = 'say what the daemon does and takes up',
    run = function()
      require('mux.status').say()
    end,
  },
  next = {
    arguments = '[N]',
    what = 'go to the next change, or the Nth from here, around the end',
    run = function(call)
      require('mux.review').go(number_of(call, 1))
    end,
  },
  prev = {
    arguments = '[N]',
    what = 'go to the previous change, or the Nth from here, around the beginning',
    run = function(call)
      require('mux.review').go(-number_of(call, 1))
    end,
  },
  variant = {
    arguments = '[N]',
    what = 'show the next variant of the change under the cursor, or the Nth on; back if N is negative',
    run = function(call)
      require('mux.review').variant(number_of(call, 1))
    end,
  },
  accept = {
    arguments = '[file | RUN [PATH …]]',
    what = 'accept the change under the cursor, those in the range, all in the file, or what a run did',
    run = deciding('accept'),
    complete = complete_decision,
  },
  reject = {
    arguments = '[file | RUN [PATH …]]',
    what = 'reject the change under the cursor, those in the range, all in the file, or what a run did',
    run = deciding('reject'),
    complete = complete_decision,
  },
  restart = {
    arguments = '',
    what = 'connect to the daemon again, after it was given up or upgraded',
    run = function()
      require('mux.connection').restart()
    end,
  },
}

---@return string[]
function M.names()
  local names = vim.tbl_keys(M.subcommands)
  table.sort(names)
  return names
end

--- Carry out `:Mux …`.
---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local name = call.fargs[1] or 'tasks'
  local subcommand = M.subcommands[name]
  if not subcommand then
    return tell.error(('there is no :Mux %s; there are %s'):format(name, table.concat(M.names(), ', ')))
  end
  if subcommand.arguments == '' and #call.fargs > 1 then
    return tell.error((':Mux %s takes no argument'):format(name))
  end
  local done, failure = pcall(subcommand.run, {
    arguments = vim.list_slice(call.fargs, 2),
    rest = vim.trim(call.args:sub(#name + 1)),
    lines = call.range > 0 and { first = call.line1 - 1, last = call.line2 - 1 } or nil,
    count = call.range == 1 and call.count or nil,
  })
  if not done then
    -- What Neovim itself refuses, as a window that there is no room for, it says well enough.
    local words = tostring(failure):match('Vim[^:]*:(E%d+: .*)')
    if not words then
      error(failure, 0)
    end
    tell.error(words)
  end
end

--- What can stand at the end of a command line.
---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  local typed = line:sub(1, position):match('Mux!?%s+(.*)$') or ''
  local words = vim.split(typed, '%s+', { trimempty = true })
  if lead ~= '' then
    table.remove(words)
  end
  if #words == 0 then
    return beginning_with(M.names(), lead)
  end
  local subcommand = M.subcommands[words[1]]
  if not subcommand or not subcommand.complete then
    return {}
  end
  return subcommand.complete(lead, vim.list_slice(words, 2))
end

return M
