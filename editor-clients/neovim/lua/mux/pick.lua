--- All that waits in a repository, as a quickfix list or a menu; and what was rejected.
local connection = require('mux.connection')
local repository = require('mux.repository')
local safe = require('mux.safe')
local store = require('mux.store')
local tell = require('mux.tell')

local M = {}

---@alias mux.ItemStatus 'pending'|'applied'|'conflict'|'rejected'

---@class mux.Waiting
---@field item mux.protocol.ReviewItem
---@field filename string

---@type mux.ItemStatus[]
local WAITING = { 'pending', 'conflict' }

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

--- Collect what stands like this: of one run, or of all of the repository, equal changes once.
---@param run string?
---@param statuses mux.ItemStatus[]
---@param done fun(found: mux.Waiting[])
local function collect(run, statuses, done)
  local left, found, seen = {}, {}, {} ---@type string[], mux.Waiting[], table<string, true>
  local function go_on()
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
    connection.ask('mux.review.list', { run = one }, function(answer)
      for _, item in ipairs(answer.items) do
        local key = ('%s\n%s'):format(item.uri, item.hunk or item.run)
        if vim.list_contains(statuses, item.status) and not seen[key] then
          seen[key] = true
          table.insert(found, { item = item, filename = vim.uri_to_fname(item.uri) })
        end
      end
      go_on()
    end)
  end
  store.when_loaded(function(failure)
    if failure then
      return tell.error(failure)
    end
    left = runs_of(run)
    go_on()
  end)
end

---@param item mux.protocol.ReviewItem
---@return string
local function gist(item)
  local text = item.added ~= '' and item.added or item.removed
  local line = vim.iter(vim.split(text, '\n', { plain = true })):find(function(one)
    return one:find('%S') ~= nil
  end)
  local sign = item.added ~= '' and '+' or '−'
  local reason = item.status == 'conflict' and ('⚠ %s · '):format(safe.line(item.reason or 'conflict')) or ''
  return ('%s%s · %s %s'):format(reason, item.run, sign, safe.short(vim.trim(line or ''), 60))
end

--- A quickfix list of what waits.
---@param run? string only of this run
function M.quickfix(run)
  collect(run, WAITING, function(found)
    if #found == 0 then
      return tell.info('nothing to review')
    end
    local items = vim.tbl_map(function(one)
      return {
        filename = one.filename,
        lnum = one.item.range.start.line + 1,
        text = gist(one.item),
        type = one.item.status == 'conflict' and 'W' or 'I',
      }
    end, found)
    vim.fn.setqflist({}, ' ', { title = 'mux: to review', items = items })
    vim.cmd('botright copen')
  end)
end

--- Go to a file: in a window that shows it, else in this one; beside it where another text cannot stand in this one.
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
    vim.cmd('wincmd p') -- a list, or a window of ours
  end
  -- `:edit` would read the file anew where it is the current one. A window may be kept for its text, by 'winfixbuf' or,
  -- where that has changes, by 'nohidden'.
  if vim.bo.buftype ~= '' or not pcall(vim.api.nvim_win_set_buf, 0, buf) then
    vim.cmd(('sbuffer %d'):format(buf))
  end
end

---@param found mux.Waiting[]
---@param prompt string
---@param go_on fun(one: mux.Waiting)
local function choose(found, prompt, go_on)
  vim.ui.select(found, {
    prompt = prompt,
    kind = 'mux.hunk',
    format_item = function(one)
      local name = safe.line(vim.fn.fnamemodify(one.filename, ':~:.'))
      return ('%s:%d  %s'):format(name, one.item.range.start.line + 1, gist(one.item))
    end,
  }, function(one)
    if one then
      go_to(one.filename)
      local last = vim.api.nvim_buf_line_count(0)
      vim.api.nvim_win_set_cursor(0, { math.min(one.item.range.start.line + 1, last), 0 })
      go_on(one)
    end
  end)
end

--- A menu of what waits; the choice is gone to.
---@param run? string only of this run
function M.select(run)
  collect(run, WAITING, function(found)
    if #found == 0 then
      return tell.info('nothing to review')
    end
    choose(found, 'To review', function() end)
  end)
end

--- A menu of what was rejected; the choice is accepted after all.
---@param run? string only of this run
function M.rejected(run)
  collect(run, { 'rejected' }, function(found)
    if #found == 0 then
      return tell.info('nothing was rejected')
    end
    choose(found, 'Rejected. To accept after all', function(one)
      require('mux.review').accept_item(one.item)
    end)
  end)
end

return M
