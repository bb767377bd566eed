--- Navigate the changes of a buffer, accept and reject them.
local config = require('mux.config')
local connection = require('mux.connection')
local draw = require('mux.draw')
local edit = require('mux.edit')
local places = require('mux.places')
local sanitize = require('mux.sanitize')
local store = require('mux.store')
local notify = require('mux.notify')

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
local function report_none(buf)
  if places.uri(buf) then
    notify.echo(places.count(buf) > 0 and 'no change here: :Mux next goes to one' or 'nothing to review in this file')
  else
    notify.echo('this buffer is not attached: its file must be in a git repository (:checkhealth mux)')
  end
end

--- Call back with the places in some lines of the current buffer, by default at the cursor, once they are up to date.
---@param lines mux.Lines?
---@param callback fun(buf: integer, found: mux.PlaceAt[])
local function with_places(lines, callback)
  local buf = vim.api.nvim_get_current_buf()
  lines = lines or cursor_line()
  places.when_current(buf, function()
    local found = places.at(buf, lines.first, lines.last)
    if #found == 0 then
      return report_none(buf)
    end
    callback(buf, found)
  end)
end

--- Scroll until the inserted lines are visible: Neovim only takes care of real lines.
---@param at mux.PlaceAt
local function reveal(at)
  local _, added = at.variant.added:gsub('\n', '\n')
  local height = math.max(at.stop - at.first, 1) + math.min(added, config.get().review.max_lines)
  local line = vim.fn.winline()
  local hidden = line - 1 + height - vim.api.nvim_win_get_height(0)
  local rows = math.min(hidden, line - 1)
  if rows > 0 then
    vim.cmd(('normal! %d\5'):format(rows))
  end
  draw.show_above(vim.api.nvim_get_current_win())
end

--- Go to an open change, with wrap-around.
---@param count integer number of changes forward; backward if negative
function M.go(count)
  local buf = vim.api.nvim_get_current_buf()
  local waiting = places.waiting(buf)
  if #waiting == 0 then
    return report_none(buf)
  end
  local end_line = vim.api.nvim_buf_line_count(buf) - 1
  local row = vim.fn.line('.') - 1
  local before, upto = 0, 0 -- number of changes above the cursor line, and up to it
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
  notify.echo(('change %d of %d'):format(number, #waiting))
end

--- Show another variant of the change at the cursor.
---@param step integer number of variants forward; backward if negative
function M.variant(step)
  with_places(nil, function(buf, found)
    places.step(buf, found[1], step, function(result)
      if result.total > 1 then
        notify.echo(('variant %d of %d, of %s'):format(result.shown + 1, result.total, result.run))
      else
        notify.echo('there is only one variant')
      end
    end)
  end)
end

---@class mux.Decision one request to the daemon
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

--- Return the decisions on several changes, with the hunks of a run in one.
---@param found mux.PlaceAt[]
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

--- Report the effects of an accept that are not visible in the buffer.
---@param result mux.protocol.AcceptResult
function M.report_accepted(result)
  local words = {} ---@type string[]
  if #result.files > 1 then
    table.insert(words, ('%d files changed; :wall writes them'):format(#result.files))
  end
  if result.marked > 0 then
    table.insert(words, ('%d conflicts written as markers'):format(result.marked))
  end
  if result.rejected > 0 then
    table.insert(words, ('%d rejected changes left out'):format(result.rejected))
  end
  if result.kept then
    table.insert(words, 'copies of your files are in ' .. sanitize.line(result.kept))
  end
  if #words > 0 then
    notify.echo(table.concat(words, ', '))
  end
  -- Changes that are not text edits were written to disk: let buffers read them.
  pcall(vim.cmd.checktime)
end

---@class mux.Batch decisions in one undo block
---@field left mux.Decision[]
---@field buf integer

---@type mux.Batch[] the running batch, and those that wait: a person may type faster than the daemon responds
local queue = {}

--- Carry out the next decision of the first batch. A failure ends the batch.
---@param join boolean whether it joins the undo block of the previous one
local function carry_out_next(join)
  local batch = assert(queue[1])
  local one = table.remove(batch.left, 1)
  edit.join(join and one ~= nil)
  if one then
    return connection.request(one.command, one.argument, function(result, failure)
      if failure then
        batch.left = {}
        notify.error(failure)
      elseif result.files then
        M.report_accepted(result)
      end
      carry_out_next(true)
    end)
  end
  places.refresh_now(batch.buf)
  table.remove(queue, 1)
  if queue[1] then
    carry_out_next(false)
  end
end

--- Carry out decisions after the earlier ones. Their changes are one undo block.
---@param left mux.Decision[]
---@param buf integer
local function carry_out(left, buf)
  table.insert(queue, { left = left, buf = buf })
  if #queue == 1 then
    carry_out_next(false)
  end
end

--- Return the entry of a resolution in the menu.
---@param variant mux.protocol.VariantShape
---@param mode string
---@return string
local function describe_resolution(variant, mode)
  if mode == 'instead' then
    return ("use %s's change instead of the other run's"):format(variant.run)
  elseif mode == 'mark' then
    return ("write conflict markers: yours and %s's"):format(variant.run)
  end
  local lost = vim.tbl_filter(function(line)
    return vim.trim(line) ~= ''
  end, variant.lost)
  local which = #lost > 0 and (': “%s”%s'):format(sanitize.short(vim.trim(lost[1]), 40), #lost > 1 and ' …' or '')
    or ''
  local lines = #variant.lost == 1 and '1 line' or ('%d lines'):format(#variant.lost)
  return ("take %s's lines over yours (loses %s%s)"):format(variant.run, lines, which)
end

--- Let the person choose the resolution of a conflict.
---@param buf integer
---@param variant mux.protocol.VariantShape
local function resolve(buf, variant)
  local reason = sanitize.line(variant.reason or 'it cannot be placed exactly')
  if #variant.resolutions == 0 then
    return notify.error(('%s is in conflict: %s'):format(variant.run, reason))
  end
  vim.ui.select(variant.resolutions, {
    prompt = ('%s is in conflict: %s'):format(variant.run, reason),
    kind = 'mux.conflict',
    format_item = function(mode)
      return describe_resolution(variant, mode)
    end,
  }, function(mode)
    if mode then
      carry_out({ decision(variant, 'accept', mode) }, buf)
    end
  end)
end

--- Accept the shown variants in some lines; without lines, the one at the cursor.
---@param lines? mux.Lines
function M.accept(lines)
  with_places(lines, function(buf, found)
    local fit = vim.tbl_filter(function(one)
      return one.variant.status ~= 'conflict'
    end, found)
    if #fit == 0 then
      return resolve(buf, found[1].variant)
    end
    if not lines then
      fit = { fit[1] } -- a change of another task in the same lines is decided separately
    elseif #fit < #found then
      notify.echo(('%d changes in conflict remain: resolve each with :Mux accept'):format(#found - #fit))
    end
    carry_out(decisions(fit, 'accept'), buf)
  end)
end

--- Reject the shown variants in some lines; without lines, the one at the cursor.
---@param lines? mux.Lines
function M.reject(lines)
  with_places(lines, function(buf, found)
    carry_out(decisions(lines and found or { found[1] }, 'reject'), buf)
  end)
end

--- Accept a change of a list. Accepting a rejected one undoes the rejection.
---@param item mux.protocol.ReviewItem
function M.accept_item(item)
  carry_out({ decision(item, 'accept') }, vim.api.nvim_get_current_buf())
end

--- Return all lines of the current buffer.
---@return mux.Lines
function M.all_lines()
  return { first = 0, last = vim.api.nvim_buf_line_count(0) - 1 }
end

--- Accept or reject all changes of a run, or its changes of some files.
---@param verb 'accept'|'reject'
---@param run string
---@param paths string[]
function M.whole_run(verb, run, paths)
  local shape = store.run(run)
  local argument = {
    run = run,
    paths = #paths > 0 and paths or nil,
    -- Accept the result that was shown, not a newer one.
    result = verb == 'accept' and shape and shape.result or nil,
  }
  local buf = vim.api.nvim_get_current_buf()
  carry_out({ { command = 'mux.run.' .. verb, argument = argument } }, buf)
end

---@return mux.Lines
local function operator_lines()
  return { first = vim.fn.line("'[") - 1, last = vim.fn.line("']") - 1 }
end

--- For 'operatorfunc': accept the lines between the marks.
function M.operate_accept()
  M.accept(operator_lines())
end

--- For 'operatorfunc': reject the lines between the marks.
function M.operate_reject()
  M.reject(operator_lines())
end

--- For 'operatorfunc': accept the change at the cursor.
function M.accept_here()
  M.accept()
end

--- For 'operatorfunc': reject the change at the cursor.
function M.reject_here()
  M.reject()
end

--- Set up an operator, which `.` repeats. Return the keys that start it.
---@param verb 'accept'|'reject'
---@param on 'here'|'lines' for the change at the cursor, or for the lines of a motion
---@return string
function M.operator(verb, on)
  local name = on == 'here' and verb .. '_here' or 'operate_' .. verb
  vim.o.operatorfunc = ("v:lua.require'mux.review'.%s"):format(name)
  return on == 'here' and 'g@l' or 'g@'
end

--- Select the lines of the change at the cursor, for the text object.
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
