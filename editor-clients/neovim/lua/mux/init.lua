--- The functions that people call from their own configuration. Each loads what it needs when it is called.
local M = {}

--- Change settings. It need not be called: `vim.g.mux` does the same, and there are defaults for everything.
---@param settings? mux.Settings see |mux-settings|
function M.setup(settings)
  require('mux.config').set(settings or {})
  require('mux.keymaps').suggest()
end

--- Start a task. What its agents see is what this Neovim has, unsaved texts included.
---@param task mux.Start
---@param done? fun(task: mux.protocol.TaskShape)
function M.start(task, done)
  require('mux.prompt').start(task, done)
end

--- Go to the next change that waits in this buffer, around the end.
---@param count? integer so many changes on
function M.next(count)
  require('mux.review').go(count or 1)
end

--- Go to the previous change that waits in this buffer, around its beginning.
---@param count? integer so many changes back
function M.prev(count)
  require('mux.review').go(-(count or 1))
end

--- Show another variant of the change under the cursor.
---@param step? integer so many variants on; back if it is negative
function M.variant(step)
  require('mux.review').variant(step or 1)
end

--- Accept what is shown of the changes in some lines, from 0 and both included; of the one under the cursor by default.
---@param lines? mux.Lines
function M.accept(lines)
  require('mux.review').accept(lines)
end

--- Accept what is shown of all changes in this file.
function M.accept_file()
  require('mux.review').accept(require('mux.review').all_lines())
end

--- Reject what is shown of the changes in some lines, from 0 and both included; of the one under the cursor by default.
---@param lines? mux.Lines
function M.reject(lines)
  require('mux.review').reject(lines)
end

--- Reject what is shown of all changes in this file.
function M.reject_file()
  require('mux.review').reject(require('mux.review').all_lines())
end

--- Select the lines of the change under the cursor, for a text object.
function M.select()
  require('mux.review').select()
end

--- What goes on, in few words, for a 'statusline'. "" where there is nothing to say.
---@return string
function M.statusline()
  return package.loaded['mux.connection'] and require('mux.status').line() or ''
end

--- The tasks of a repository, by the path of its root, or all that are known; the newest first.
---@param root? string
---@return mux.protocol.TaskShape[]
function M.tasks(root)
  return require('mux.store').tasks(root and require('mux.repository').real(root))
end

return M
