--- Running the checks on the text as it is on the screen, or as it would be with what a run changes.
local connection = require('mux.connection')
local repository = require('mux.repository')
local safe = require('mux.safe')
local tell = require('mux.tell')

local M = {}

---@param answer mux.protocol.VerifyResult
---@param root string?
local function list(answer, root)
  local lines = {} ---@type string[]
  for number, check in ipairs(answer.verdict.checks) do
    if check.state ~= 'passed' then
      table.insert(lines, ('%s %s:'):format(safe.line(check.command), check.state))
      vim.list_extend(lines, safe.lines(answer.printed[number] or ''))
    end
  end
  local formats = vim.bo.errorformat ~= '' and vim.bo.errorformat or vim.o.errorformat
  if root then
    -- Checks name files as they are from there.
    table.insert(lines, 1, 'mux: in ' .. root)
    formats = '%Dmux: in %f,' .. formats
  end
  -- Read by 'errorformat', as what `:make` prints is: files and lines in it can be gone to.
  vim.fn.setqflist({}, ' ', { title = 'mux: verify', lines = lines, efm = formats })
  if vim.api.nvim_get_mode().mode == 'n' then
    vim.cmd('botright copen') -- else something is being typed
  end
end

--- Run the checks; of a run with all that it changes, or with what it changes in some files.
---@param run? string
---@param paths string[]
function M.verify(run, paths)
  local root = repository.here()
  local argument = {
    run = run,
    paths = #paths > 0 and paths or nil,
    repository = root and vim.uri_from_fname(root) or nil,
  }
  tell.say('the checks run …')
  connection.ask('mux.verify', argument, function(answer)
    local verdict = answer.verdict ---@type mux.protocol.VerdictShape
    local passed = vim.iter(verdict.checks):filter(function(check)
      return check.state == 'passed'
    end)
    local words = ('%d of %d checks passed in %.1f s'):format(#passed:totable(), #verdict.checks, verdict.seconds)
    local stale = verdict.stale and '; the text has changed since' or ''
    if verdict.passed then
      return tell.info(words .. stale)
    end
    tell.warn(words .. stale)
    list(answer, root)
  end)
end

return M
