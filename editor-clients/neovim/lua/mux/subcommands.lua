--- The subcommands of `:Mux`: what each does, and how its arguments are completed.
local completion = require('mux.completion')
local notify = require('mux.notify')

---@class mux.Call
---@field arguments string[]
---@field rest string the text after the subcommand, as typed
---@field lines mux.Lines? the range, if one was given
---@field count integer? the range as a count

---@class mux.Subcommand
---@field arguments string the arguments, as the help shows them
---@field desc string
---@field run fun(call: mux.Call)
---@field complete? fun(lead: string, arguments: string[]): string[] `arguments` are those before `lead`

---@param verb 'accept'|'reject'
---@return fun(call: mux.Call)
local function decide(verb)
  return function(call)
    local review = require('mux.review')
    local argument = call.arguments[1]
    if argument == 'file' then
      review[verb](review.all_lines())
    elseif argument then
      review.whole_run(verb, argument, vim.list_slice(call.arguments, 2))
    else
      review[verb](call.lines)
    end
  end
end

--- Report that the cursor is at no task or run, and none was given.
---@param kind string
local function report_missing(kind)
  notify.error(('no %s at the cursor: name one (:Mux tasks lists them)'):format(kind))
end

--- Return a subcommand that acts on a task, or on a task or a run: the given one, or the one at the cursor.
---@param kind 'task'|'task or run'
---@param desc string
---@param action fun(id: string)
---@return mux.Subcommand
local function on_id(kind, desc, action)
  return {
    arguments = kind == 'task' and '[TASK]' or '[TASK | RUN]',
    desc = desc,
    run = function(call)
      local id = call.arguments[1] or require('mux.target').id_here()
      if id then
        action(id)
      else
        report_missing(kind)
      end
    end,
    complete = kind == 'task' and completion.tasks or completion.ids,
  }
end

--- Return a subcommand that acts on a run: the given one, or the one at the cursor. It waits until the runs are loaded.
---@param desc string
---@param action fun(run: string)
---@return mux.Subcommand
local function on_run(desc, action)
  return {
    arguments = '[RUN]',
    desc = desc,
    run = function(call)
      local target = require('mux.target')
      local given = call.arguments[1]
      local id = given or target.id_here()
      require('mux.store').when_loaded(function(failure)
        local run = id and target.run_of(id)
        if run then
          action(run)
        elseif failure then
          notify.error(failure)
        elseif given then
          notify.error(('%s is not a run: :Mux tasks lists all runs'):format(given))
        else
          report_missing('run')
        end
      end)
    end,
    complete = completion.runs,
  }
end

---@param call mux.Call
local function start(call)
  local agents = {} ---@type string[]
  local rest = call.rest
  while true do
    local agent, behind = rest:match('^%-a%s+(%S+)%s*(.*)$')
    if not agent then
      break
    end
    table.insert(agents, agent)
    rest = assert(behind)
  end
  if rest == '-a' then
    return notify.error('-a must be followed by the name of an agent')
  end
  require('mux.prompt').run(rest, agents, call.lines)
end

---@param call mux.Call
local function continue(call)
  local run, message = call.rest:match('^(%w+%-%d+)%s*(.*)$')
  if not run or not require('mux.store').run(run) then
    -- A message may start like an id.
    local target = require('mux.target')
    local here = target.id_here()
    here = here and target.run_of(here)
    run, message = here or run, here and call.rest or message
  end
  if not run then
    return report_missing('run')
  end
  require('mux.prompt').continue(run, message)
end

---@param call mux.Call
local function compare(call)
  local store = require('mux.store')
  local id, root = call.arguments[1] or require('mux.target').id_here(), require('mux.repository').here()
  store.when_loaded(function(failure)
    local newest = store.tasks(root)[1]
    id = id or newest and newest.id
    if failure or not id then
      return notify.error(failure or 'there is no task yet: :Mux run PROMPT starts one')
    end
    require('mux.document').compare(store.task_of(id))
  end)
end

---@param call mux.Call
---@param default integer
---@return integer
local function number_of(call, default)
  return math.floor(tonumber(call.arguments[1]) or call.count or default)
end

---@type table<string, mux.Subcommand>
local M = {
  run = {
    arguments = '[-a AGENT[*N]]… [PROMPT]',
    desc = 'start a task; the lines of a range are its context; without a prompt, open a buffer to write one',
    run = start,
    complete = function(lead, arguments)
      return arguments[#arguments] == '-a' and completion.agents(lead) or {}
    end,
  },
  tasks = {
    arguments = '',
    desc = 'open the tasks window',
    run = function()
      require('mux.tasks').open()
    end,
  },
  task = {
    arguments = '[TASK]',
    desc = 'open the tasks window at a task',
    run = function(call)
      require('mux.tasks').open(call.arguments[1] or require('mux.target').id_here())
    end,
    complete = completion.tasks,
  },
  log = on_run('show the transcript of a run, live while it works', function(run)
    require('mux.document').transcript(run)
  end),
  diff = {
    arguments = '[RUN [PATH]]',
    desc = 'show a file beside the version of a run; without a run, for the change at the cursor',
    run = function(call)
      require('mux.diff').open(call.arguments[1], call.arguments[2])
    end,
    complete = completion.run_and_paths,
  },
  compare = {
    arguments = '[TASK]',
    desc = 'show the runs of a task side by side; without one given or at the cursor, of the newest task',
    run = compare,
    complete = completion.tasks,
  },
  hunks = {
    arguments = '[RUN]',
    desc = 'list the open changes of the repository, or of a run, in the quickfix list',
    run = function(call)
      require('mux.pick').quickfix(call.arguments[1])
    end,
    complete = completion.runs,
  },
  select = {
    arguments = '[RUN]',
    desc = 'choose from the open changes of the repository, or of a run, and go to the chosen one',
    run = function(call)
      require('mux.pick').select(call.arguments[1])
    end,
    complete = completion.runs,
  },
  rejected = {
    arguments = '[RUN]',
    desc = 'choose from the rejected changes of the repository, or of a run, and accept the chosen one; undo makes it pending',
    run = function(call)
      require('mux.pick').rejected(call.arguments[1])
    end,
    complete = completion.runs,
  },
  cancel = on_id('task or run', 'cancel a run, or all runs of a task; their results are kept', function(id)
    require('mux.lifecycle').cancel(id)
  end),
  continue = {
    arguments = '[RUN] [MESSAGE]',
    desc = 'continue a run with a message; without one, open a buffer to write it',
    run = continue,
    complete = completion.runs,
  },
  pick = on_run('accept all changes of a run and discard the other runs of its task', function(run)
    require('mux.lifecycle').pick(run)
  end),
  discard = on_id(
    'task or run',
    'discard a run, or all runs of a task, after a confirmation; :Mux restore undoes it',
    function(id)
      require('mux.lifecycle').discard(id)
    end
  ),
  restore = on_id('task or run', 'restore a discarded run, or all discarded runs of a task', function(id)
    require('mux.lifecycle').restore(id)
  end),
  retry = on_run('run the prompt of a run again, as a new run', function(run)
    require('mux.lifecycle').retry(run)
  end),
  delete = on_id('task or run', 'delete a task or a run with its results, after a confirmation', function(id)
    require('mux.lifecycle').delete(id)
  end),
  pause = on_id('task', "pause a task's queued runs", function(id)
    require('mux.lifecycle').pause(id)
  end),
  resume = on_id('task', "resume a task's queued runs", function(id)
    require('mux.lifecycle').resume(id)
  end),
  verify = {
    arguments = '[RUN [PATH …]]',
    desc = 'run the checks on the live text, or with the changes of a run; failures are in the quickfix list',
    run = function(call)
      require('mux.verify').verify(call.arguments[1], vim.list_slice(call.arguments, 2))
    end,
    complete = completion.run_and_paths,
  },
  permission = {
    arguments = '[once | run | task | always | refuse [REASON]]',
    desc = 'answer a permission request; without an answer, choose one from a menu',
    run = function(call)
      local answer, reason = call.rest:match('^(%S+)%s*(.*)$')
      require('mux.permission').answer(answer, reason ~= '' and reason or nil)
    end,
    complete = function(lead)
      return completion.matching({ 'once', 'run', 'task', 'always', 'refuse' }, lead)
    end,
  },
  agents = {
    arguments = '',
    desc = 'list the agents',
    run = function()
      require('mux.status').show_agents()
    end,
  },
  status = {
    arguments = '',
    desc = "show the daemon's version, its unfinished runs, cost and disk usage",
    run = function()
      require('mux.status').show()
    end,
  },
  next = {
    arguments = '[N]',
    desc = 'go to the next change, or N changes forward, with wrap-around',
    run = function(call)
      require('mux.review').go(number_of(call, 1))
    end,
  },
  prev = {
    arguments = '[N]',
    desc = 'go to the previous change, or N changes back, with wrap-around',
    run = function(call)
      require('mux.review').go(-number_of(call, 1))
    end,
  },
  variant = {
    arguments = '[N]',
    desc = 'show the next variant of the change at the cursor, or N variants forward; backward if N is negative',
    run = function(call)
      require('mux.review').variant(number_of(call, 1))
    end,
  },
  accept = {
    arguments = '[file | RUN [PATH …]]',
    desc = 'accept the change at the cursor, those in the range, all in the file, or those of a run',
    run = decide('accept'),
    complete = completion.decision,
  },
  reject = {
    arguments = '[file | RUN [PATH …]]',
    desc = 'reject the change at the cursor, those in the range, all in the file, or those of a run',
    run = decide('reject'),
    complete = completion.decision,
  },
  restart = {
    arguments = '',
    desc = 'connect to the daemon again, after a failure or an upgrade',
    run = function()
      require('mux.connection').restart()
    end,
  },
}

return M
