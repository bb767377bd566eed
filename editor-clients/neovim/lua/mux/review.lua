--- Going through the changes of a buffer and deciding on them.
local config = require('mux.config')
local connection = require('mux.connection')
local draw = require('mux.draw')
local edit = require('mux.edit')
local places = require('mux.places')
local safe = require('mux.safe')
local store = require('mux.store')
local tell = require('mux.tell')

local M = {}

---@class mux.Lines lines of a buffer, from 0, both included
---@field first integer
---@field last integer

---@return mux.Lines
local function cursor_line()
  local row = vim.fn.line('.') - 1
  return { first = row, last = row }
end

---@param buf integer
local function say_none(buf)
  if places.uri(buf) then
    tell.say(places.count(buf) > 0 and 'no change here: :Mux next goes to one' or 'nothing to review in this file')
  else
    tell.say('this buffer is not attached: its file must be in a git repository (:checkhealth mux)')
  end
end

--- Go on with the changes in some lines of this buffer, those under the cursor by default, as they stand to the text.
---@param lines mux.Lines?
---@param go_on fun(buf: integer, found: mux.Found[])
local function here(lines, go_on)
  local buf = vim.api.nvim_get_current_buf()
  lines = lines or cursor_line()
  places.when_true(buf, function()
    local found = places.at(buf, lines.first, lines.last)
    if #found == 0 then
      return say_none(buf)
    end
    go_on(buf, found)
  end)
end

--- Scroll until the lines that would come are seen too: Neovim itself cares for real lines only.
---@param found mux.Found
local function reveal(found)
  local _, coming = found.variant.added:gsub('\n', '\n')
  local height = math.max(found.stop - found.first, 1) + math.min(coming, config.get().review.max_lines)
  local line = vim.fn.winline()
  local hidden = line - 1 + height - vim.api.nvim_win_get_height(0)
  local rows = math.min(hidden, line - 1)
  if rows > 0 then
    vim.cmd(('normal! %d\5'):format(rows))
  end
  draw.show_above(vim.api.nvim_get_current_win())
end

--- Go to a change that waits: `count` changes on, or back if it is negative; around the end.
---@param count integer
function M.go(count)
  local buf = vim.api.nvim_get_current_buf()
  local waiting = places.waiting(buf)
  if #waiting == 0 then
    return say_none(buf)
  end
  local end_line = vim.api.nvim_buf_line_count(buf) - 1
  local row = vim.fn.line('.') - 1
  local before, upto = 0, 0 -- so many changes are above the cursor, and so many above or at it
  for _, found in ipairs(waiting) do
    local line = math.min(found.first, end_line)
    before = before + (line < row and 1 or 0)
    upto = upto + (line <= row and 1 or 0)
  end
  local number = count > 0 and upto + count or before + count + 1
  number = (number - 1) % #waiting + 1
  vim.cmd("normal! m'")
  vim.api.nvim_win_set_cursor(0, { math.min(waiting[number].first, end_line) + 1, 0 })
  vim.cmd('normal! zv')
  reveal(waiting[number])
  tell.say(('change %d of %d'):format(number, #waiting))
end

--- Show another variant of the change under the cursor: the one so many steps on.
---@param step integer
function M.variant(step)
  here(nil, function(buf, found)
    places.step(buf, found[1], step, function(answer)
      if answer.total > 1 then
        tell.say(('variant %d of %d, of %s'):format(answer.shown + 1, answer.total, answer.run))
      else
        tell.say('there is one variant only')
      end
    end)
  end)
end

---@class mux.Decision one command of the daemon's
---@field command string
---@field argument table

---@param variant mux.protocol.VariantShape|mux.protocol.ReviewItem
---@param verb 'accept'|'reject'
---@param mode? string
---@return mux.Decision
local function decision(variant, verb, mode)
  if variant.hunk then
    local argument = { run = variant.run, hunks = { variant.hunk }, mode = mode }
    if verb == 'reject' then
      argument.shared = true
    end
    return { command = 'mux.hunk.' .. verb, argument = argument }
  end
  return {
    command = 'mux.file.' .. verb,
    argument = { run = variant.run, path = variant.path, what = 'file', mode = mode },
  }
end

--- The decisions on several changes: hunks of one run go together.
---@param found mux.Found[]
---@param verb 'accept'|'reject'
---@return mux.Decision[]
local function decisions(found, verb)
  local made, of_run = {}, {} ---@type mux.Decision[], table<string, mux.Decision>
  for _, one in ipairs(found) do
    local variant = one.variant
    local known = variant.hunk and of_run[variant.run]
    if known then
      table.insert(known.argument.hunks, variant.hunk)
    else
      local new = decision(variant, verb)
      table.insert(made, new)
      if variant.hunk then
        of_run[variant.run] = new
      end
    end
  end
  return made
end

--- Something was accepted: say what is not plain to see of it.
---@param answer mux.protocol.AcceptResult
function M.accepted(answer)
  local words = {} ---@type string[]
  if #answer.files > 1 then
    table.insert(words, ('%d files changed; :wall writes them'):format(#answer.files))
  end
  if answer.marked > 0 then
    table.insert(words, ('%d conflicts between markers'):format(answer.marked))
  end
  if answer.rejected > 0 then
    table.insert(words, ('%d rejected changes left out'):format(answer.rejected))
  end
  if answer.kept then
    table.insert(words, 'your files were kept in ' .. safe.line(answer.kept))
  end
  if #words > 0 then
    tell.say(table.concat(words, ', '))
  end
  -- What is no edit of a text was written to the disk: buffers have it read.
  pcall(vim.cmd.checktime)
end

---@class mux.Decided decisions that are one undo
---@field left mux.Decision[]
---@field buf integer

---@type mux.Decided[] what is carried out, and what waits for that: keys may be quicker than the daemon
local decided = {}

--- Carry out the first of what is decided, one decision after the other. The first failure ends it.
---@param join boolean whether the next is one undo with the one before
local function go_on(join)
  local now = assert(decided[1])
  local one = table.remove(now.left, 1)
  edit.join(join and one ~= nil)
  if one then
    return connection.request(one.command, one.argument, function(answer, failure)
      if failure then
        now.left = {}
        tell.error(failure)
      elseif answer.files then
        M.accepted(answer)
      end
      go_on(true)
    end)
  end
  places.refresh_now(now.buf)
  table.remove(decided, 1)
  if decided[1] then
    go_on(false)
  end
end

--- Carry decisions out after those before them; what they change is one undo.
---@param left mux.Decision[]
---@param buf integer
local function carry_out(left, buf)
  table.insert(decided, { left = left, buf = buf })
  if #decided == 1 then
    go_on(false)
  end
end

---@param variant mux.protocol.VariantShape
---@param mode string
---@return string
local function words_of(variant, mode)
  if mode == 'instead' then
    return ("use %s's instead of what another run has there"):format(variant.run)
  elseif mode == 'mark' then
    return ("write conflict markers: yours and %s's"):format(variant.run)
  end
  local lost = vim.tbl_filter(function(line)
    return vim.trim(line) ~= ''
  end, variant.lost)
  local which = #lost > 0 and (': “%s”%s'):format(safe.short(vim.trim(lost[1]), 40), #lost > 1 and ' …' or '')
    or ''
  local lines = #variant.lost == 1 and '1 line' or ('%d lines'):format(#variant.lost)
  return ("take %s's lines over yours (loses %s%s)"):format(variant.run, lines, which)
end

--- Ask what to do about a change that collides.
---@param buf integer
---@param variant mux.protocol.VariantShape
local function settle(buf, variant)
  local reason = safe.line(variant.reason or 'it cannot be placed exactly')
  if #variant.resolutions == 0 then
    return tell.error(('%s is in conflict: %s'):format(variant.run, reason))
  end
  vim.ui.select(variant.resolutions, {
    prompt = ('%s is in conflict: %s'):format(variant.run, reason),
    kind = 'mux.conflict',
    format_item = function(mode)
      return words_of(variant, mode)
    end,
  }, function(mode)
    if mode then
      carry_out({ decision(variant, 'accept', mode) }, buf)
    end
  end)
end

--- Accept what is shown of the changes in some lines; of the one under the cursor by default.
---@param lines? mux.Lines
function M.accept(lines)
  here(lines, function(buf, found)
    local fit = vim.tbl_filter(function(one)
      return one.variant.status ~= 'conflict'
    end, found)
    if #fit == 0 then
      return settle(buf, found[1].variant)
    end
    if not lines then
      fit = { fit[1] } -- another task's in the same lines is a decision of its own
    elseif #fit < #found then
      tell.say(('%d changes in conflict are left: decide on each by :Mux accept'):format(#found - #fit))
    end
    carry_out(decisions(fit, 'accept'), buf)
  end)
end

--- Reject what is shown of the changes in some lines; of the one under the cursor by default.
---@param lines? mux.Lines
function M.reject(lines)
  here(lines, function(buf, found)
    carry_out(decisions(lines and found or { found[1] }, 'reject'), buf)
  end)
end

--- Accept a change by what it is, also one that was rejected: that is taken back by it.
---@param item mux.protocol.ReviewItem
function M.accept_item(item)
  carry_out({ decision(item, 'accept') }, vim.api.nvim_get_current_buf())
end

--- All lines of the current buffer.
---@return mux.Lines
function M.all_lines()
  return { first = 0, last = vim.api.nvim_buf_line_count(0) - 1 }
end

--- Accept or reject all that a run did, or what it did to some files.
---@param verb 'accept'|'reject'
---@param run string
---@param paths string[]
function M.whole(verb, run, paths)
  local shape = store.run(run)
  local argument = {
    run = run,
    paths = #paths > 0 and paths or nil,
    -- What was seen is accepted, nothing that its agent has made of it since.
    result = verb == 'accept' and shape and shape.result or nil,
  }
  local buf = vim.api.nvim_get_current_buf()
  carry_out({ { command = 'mux.run.' .. verb, argument = argument } }, buf)
end

---@return mux.Lines
local function operated()
  return { first = vim.fn.line("'[") - 1, last = vim.fn.line("']") - 1 }
end

--- For 'operatorfunc': the lines between the marks are accepted.
function M.operate_accept()
  M.accept(operated())
end

--- For 'operatorfunc': the lines between the marks are rejected.
function M.operate_reject()
  M.reject(operated())
end

--- For 'operatorfunc': the change under the cursor is accepted.
function M.accept_here()
  M.accept()
end

--- For 'operatorfunc': the change under the cursor is rejected.
function M.reject_here()
  M.reject()
end

--- The keys that begin an operator, which `.` repeats.
---@param verb 'accept'|'reject'
---@param on 'here'|'lines' whether it is for the change under the cursor, or for those that a motion goes over
---@return string
function M.operator(verb, on)
  local name = on == 'here' and verb .. '_here' or 'operate_' .. verb
  vim.o.operatorfunc = ("v:lua.require'mux.review'.%s"):format(name)
  return on == 'here' and 'g@l' or 'g@'
end

--- The text object: the lines of the change under the cursor.
function M.select()
  local buf = vim.api.nvim_get_current_buf()
  local line = cursor_line()
  local found = places.at(buf, line.first, line.last)[1]
  if not found then
    return
  end
  local end_line = vim.api.nvim_buf_line_count(buf)
  local first = math.min(found.first + 1, end_line)
  local last = math.min(math.max(found.stop, found.first + 1), end_line)
  if vim.fn.mode():find('^[vV\22]') then
    vim.cmd('normal! \27')
  end
  vim.cmd(('normal! %dGV%dG'):format(first, last))
end

return M
