--- List the open changes of a repository in the quickfix list or a menu, and the rejected ones in a menu.
local connection = require('mux.connection')
local repository = require('mux.repository')
local sanitize = require('mux.sanitize')
local store = require('mux.store')
local notify = require('mux.notify')

local M = {}

---@alias mux.ItemStatus 'pending'|'applied'|'conflict'|'rejected'

---@class mux.ListedChange
---@field item mux.protocol.ReviewItem
---@field filename string

---@type mux.ItemStatus[]
local OPEN = { 'pending', 'conflict' }

---@param run? string
---@return string[]
local function runs_of(run)
  if run then
    return { run }
  end
  local found = {} ---@type string[]
  for _, task in ipairs(store.tasks(repository.here())) do
    for _, one in ipairs(task.runs) do
      if one.hunks > 0 or one.file_count > 0 then
        table.insert(found, one.id)
      end
    end
  end
  return found
end

--- Collect the changes with some statuses, of one run or of all runs of the repository, without duplicates.
---@param run string?
---@param statuses mux.ItemStatus[]
---@param done fun(found: mux.ListedChange[])
local function collect(run, statuses, done)
  local left, found, seen = {}, {}, {} ---@type string[], mux.ListedChange[], table<string, true>
  local function collect_next()
    local one = table.remove(left, 1)
    if not one then
      table.sort(found, function(a, b)
        if a.filename ~= b.filename then
          return a.filename < b.filename
        end
        return a.item.range.start.line < b.item.range.start.line
      end)
      return done(found)
    end
    connection.call('mux.review.list', { run = one }, function(result)
      for _, item in ipairs(result.items) do
        local key = ('%s\n%s'):format(item.uri, item.hunk or item.run)
        if vim.list_contains(statuses, item.status) and not seen[key] then
          seen[key] = true
          table.insert(found, { item = item, filename = vim.uri_to_fname(item.uri) })
        end
      end
      collect_next()
    end)
  end
  store.when_loaded(function(failure)
    if failure then
      return notify.error(failure)
    end
    left = runs_of(run)
    collect_next()
  end)
end

---@param item mux.protocol.ReviewItem
---@return string
local function summary(item)
  local text = item.added ~= '' and item.added or item.removed
  local line = vim.iter(vim.split(text, '\n', { plain = true })):find(function(one)
    return one:find('%S') ~= nil
  end)
  local sign = item.added ~= '' and '+' or '−'
  local reason = item.status == 'conflict' and ('⚠ %s · '):format(sanitize.line(item.reason or 'conflict')) or ''
  return ('%s%s · %s %s'):format(reason, item.run, sign, sanitize.short(vim.trim(line or ''), 60))
end

--- List the open changes in the quickfix list.
---@param run? string only of this run
function M.quickfix(run)
  collect(run, OPEN, function(found)
    if #found == 0 then
      return notify.info('nothing to review')
    end
    local items = vim.tbl_map(function(one)
      return {
        filename = one.filename,
        lnum = one.item.range.start.line + 1,
        text = summary(one.item),
        type = one.item.status == 'conflict' and 'W' or 'I',
      }
    end, found)
    vim.fn.setqflist({}, ' ', { title = 'mux: changes to review', items = items })
    vim.cmd('botright copen')
  end)
end

--- Go to a file: in a window that shows it, else in the current one; in a new one where the current one must keep its text.
---@param file string
local function go_to(file)
  local buf = vim.fn.bufadd(file)
  vim.bo[buf].buflisted = true
  vim.cmd("normal! m'")
  local win = vim.fn.win_findbuf(buf)[1]
  if win then
    return vim.api.nvim_set_current_win(win)
  end
  if vim.bo.buftype ~= '' then
    vim.cmd('wincmd p') -- from a list or a window of the plugin
  end
  -- Not `:edit`, which would read the current file again. A window must keep its text with 'winfixbuf', or with 'nohidden' and
  -- unsaved changes.
  if vim.bo.buftype ~= '' or not pcall(vim.api.nvim_win_set_buf, 0, buf) then
    vim.cmd(('sbuffer %d'):format(buf))
  end
end

---@param found mux.ListedChange[]
---@param prompt string
---@param done fun(one: mux.ListedChange)
local function choose(found, prompt, done)
  vim.ui.select(found, {
    prompt = prompt,
    kind = 'mux.hunk',
    format_item = function(one)
      local name = sanitize.line(vim.fn.fnamemodify(one.filename, ':~:.'))
      return ('%s:%d  %s'):format(name, one.item.range.start.line + 1, summary(one.item))
    end,
  }, function(one)
    if one then
      go_to(one.filename)
      local last = vim.api.nvim_buf_line_count(0)
      vim.api.nvim_win_set_cursor(0, { math.min(one.item.range.start.line + 1, last), 0 })
      done(one)
    end
  end)
end

--- Choose from the open changes, and go to the chosen one.
---@param run? string only of this run
function M.select(run)
  collect(run, OPEN, function(found)
    if #found == 0 then
      return notify.info('nothing to review')
    end
    choose(found, 'Changes to review', function() end)
  end)
end

--- Choose from the rejected changes, and accept the chosen one.
---@param run? string only of this run
function M.rejected(run)
  collect(run, { 'rejected' }, function(found)
    if #found == 0 then
      return notify.info('nothing was rejected')
    end
    choose(found, 'Rejected changes: accept one', function(one)
      require('mux.review').accept_item(one.item)
    end)
  end)
end

return M
