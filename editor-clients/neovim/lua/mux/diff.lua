--- Show a run's version of a file beside the buffer in diff mode, and the three versions of a conflict.
local document = require('mux.document')
local places = require('mux.places')
local sanitize = require('mux.sanitize')
local store = require('mux.store')
local notify = require('mux.notify')

local M = {}

---@param run string
---@param path string
---@return string
local function pending_uri(run, path)
  return ('mux:/pending/%s/%s'):format(run, document.encoded(path))
end

--- Compare the current window with documents, until the last of these is closed.
---@param documents [string, string][] the URI of each, and the command that opens its window
local function compare(documents)
  local own = vim.api.nvim_get_current_win()
  local left = #documents
  vim.cmd.diffthis()
  for _, one in ipairs(documents) do
    document.open(one[1], one[2])
    vim.cmd.diffthis()
    vim.api.nvim_create_autocmd('WinClosed', {
      pattern = tostring(vim.api.nvim_get_current_win()),
      once = true,
      callback = function()
        left = left - 1
        if left == 0 and vim.api.nvim_win_is_valid(own) then
          vim.api.nvim_win_call(own, vim.cmd.diffoff)
        end
      end,
    })
    vim.api.nvim_set_current_win(own)
  end
end

--- Go to a file, in a new tab page unless the current window shows it. Its name is not part of a command, since it may
--- contain line ends.
---@param file string
local function go_to(file)
  local buf = vim.fn.bufadd(file)
  if buf ~= vim.api.nvim_get_current_buf() then
    vim.bo[buf].buflisted = true
    vim.cmd(('tab sbuffer %d'):format(buf))
  end
end

--- Show a file beside the same text with all changes of a run.
---@param run string
---@param path string
local function open_file(run, path)
  local task = store.task(store.task_of(run))
  if not task then
    return notify.error(('there is no run %s: :Mux tasks lists all runs'):format(run))
  end
  go_to(vim.fs.joinpath(vim.uri_to_fname(task.repository), path))
  compare({ { pending_uri(run, path), 'rightbelow vertical split' } })
end

---@param run string
local function choose_file(run)
  local shape = store.run(run)
  local paths = vim.tbl_map(function(file)
    return file.path
  end, shape and shape.files or {})
  if #paths == 0 then
    return notify.error(('%s has changed nothing'):format(run))
  elseif #paths == 1 then
    return open_file(run, paths[1])
  end
  vim.ui.select(paths, {
    prompt = ('Files of %s'):format(run),
    kind = 'mux.file',
    format_item = sanitize.line,
  }, function(path)
    if path then
      open_file(run, path)
    end
  end)
end

--- Show the diff of a run's file; without a path, of one that the person chooses; without a run, of the change at the cursor.
---@param run? string
---@param path? string
function M.open(run, path)
  if not run and vim.bo.buftype ~= '' then
    run = require('mux.target').id_here() -- that of a line in a window of the plugin
  end
  if run then
    return store.when_loaded(function(failure)
      if failure then
        notify.error(failure)
      elseif path then
        open_file(run, path)
      else
        choose_file(run)
      end
    end)
  end
  local buf = vim.api.nvim_get_current_buf()
  local row = vim.fn.line('.') - 1
  local found = places.at(buf, row, row)[1] or places.waiting(buf)[1]
  if not found then
    return notify.error('nothing to review in this file: :Mux diff RUN shows the changes of a run')
  end
  open_file(found.variant.run, found.variant.path)
end

--- Open the three versions of a file in conflict: the snapshot's, the person's, and the run's.
---@param change mux.protocol.ClientMergeParams
function M.merge(change)
  go_to(vim.uri_to_fname(change.uri))
  compare({
    { change.theirs, 'rightbelow vertical split' },
    { change.base, 'leftabove vertical split' },
  })
end

return M
