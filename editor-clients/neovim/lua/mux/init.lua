--- The public functions, for configurations. Each loads the modules that it needs when it is called.
local M = {}

--- Set settings. The call is optional: `vim.g.mux` has the same effect, and all settings have defaults.
---@param settings? mux.Settings see |mux-settings|
function M.setup(settings)
  require('mux.config').set(settings or {})
  require('mux.keymaps').suggest()
end

--- Start a task. Its agents see the texts of this Neovim, unsaved changes included.
---@param task mux.Start
---@param done? fun(task: mux.protocol.TaskShape)
function M.start(task, done)
  require('mux.prompt').start(task, done)
end

--- Go to the next open change of this buffer, with wrap-around.
---@param count? integer number of changes forward
function M.next(count)
  require('mux.review').go(count or 1)
end

--- Go to the previous open change of this buffer, with wrap-around.
---@param count? integer number of changes back
function M.prev(count)
  require('mux.review').go(-(count or 1))
end

--- Show another variant of the change at the cursor.
---@param step? integer number of variants forward; backward if negative
function M.variant(step)
  require('mux.review').variant(step or 1)
end

--- Accept the shown variants in some lines, from 0, both included; without lines, the one at the cursor.
---@param lines? mux.Lines
function M.accept(lines)
  require('mux.review').accept(lines)
end

--- Accept the shown variants of all changes in this file.
function M.accept_file()
  require('mux.review').accept(require('mux.review').all_lines())
end

--- Reject the shown variants in some lines, from 0, both included; without lines, the one at the cursor.
---@param lines? mux.Lines
function M.reject(lines)
  require('mux.review').reject(lines)
end

--- Reject the shown variants of all changes in this file.
function M.reject_file()
  require('mux.review').reject(require('mux.review').all_lines())
end

--- Select the lines of the change at the cursor, for a text object.
function M.select()
  require('mux.review').select()
end

--- Return a summary of running runs and open changes, for a 'statusline'. "" without any.
---@return string
function M.statusline()
  return package.loaded['mux.connection'] and require('mux.status').line() or ''
end

--- Return the tasks of a repository, by the path of its root, or all tasks; the newest first.
---@param root? string
---@return mux.protocol.TaskShape[]
function M.tasks(root)
  return require('mux.store').tasks(root and require('mux.repository').real(root))
end

return M
