--- Run the checks on the live text, optionally with the changes of a run.
local connection = require('mux.connection')
local repository = require('mux.repository')
local sanitize = require('mux.sanitize')
local notify = require('mux.notify')

local M = {}

--- List the output of failed checks in the quickfix list.
---@param result mux.protocol.VerifyResult
---@param root string?
local function list(result, root)
  local lines = {} ---@type string[]
  for number, check in ipairs(result.verdict.checks) do
    if check.state ~= 'passed' then
      table.insert(lines, ('%s %s:'):format(sanitize.line(check.command), check.state))
      vim.list_extend(lines, sanitize.lines(result.printed[number] or ''))
    end
  end
  local formats = vim.bo.errorformat ~= '' and vim.bo.errorformat or vim.o.errorformat
  if root then
    -- Checks print paths relative to the root.
    table.insert(lines, 1, 'mux: in ' .. root)
    formats = '%Dmux: in %f,' .. formats
  end
  -- Parsed with 'errorformat', like the output of `:make`.
  vim.fn.setqflist({}, ' ', { title = 'mux: verify', lines = lines, efm = formats })
  if vim.api.nvim_get_mode().mode == 'n' then
    vim.cmd('botright copen') -- not while the person types
  end
end

--- Run the checks; with a run, on the text with its changes, or with its changes of some files.
---@param run? string
---@param paths string[]
function M.verify(run, paths)
  local root = repository.here()
  local argument = {
    run = run,
    paths = #paths > 0 and paths or nil,
    repository = root and vim.uri_from_fname(root) or nil,
  }
  notify.echo('running the checks …')
  connection.call('mux.verify', argument, function(result)
    local verdict = result.verdict ---@type mux.protocol.VerdictShape
    local passed = vim.iter(verdict.checks):filter(function(check)
      return check.state == 'passed'
    end)
    local words = ('%d of %d checks passed in %.1f s'):format(#passed:totable(), #verdict.checks, verdict.seconds)
    local stale = verdict.stale and '; the text has changed since' or ''
    if verdict.passed then
      return notify.info(words .. stale)
    end
    notify.warn(words .. stale)
    list(result, root)
  end)
end

return M
