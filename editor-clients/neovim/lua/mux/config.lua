--- The settings: the defaults, `vim.g.mux`, and the argument of `require('mux').setup`, which takes precedence.
local notify = require('mux.notify')

local M = {}

---@class mux.Signs
---@field add string beside inserted lines
---@field change string beside changed lines
---@field delete string beside removed lines
---@field conflict string beside a conflict

---@class mux.ReviewConfig
---@field inline boolean draw open changes in the text
---@field signs mux.Signs|false marks in the sign column; false for none
---@field labels boolean show the run and the agent of a change after its first line
---@field max_lines integer maximum number of inserted lines drawn for one change
---@field delay integer milliseconds after the last keystroke until the changes are requested again

---@class mux.TasksConfig
---@field split string the modifiers of `:split` for the tasks window: 'botright', 'topleft vertical' …
---@field height integer maximum height in lines
---@field width integer width in columns, with a vertical split

---@class mux.DocumentsConfig
---@field split string the modifiers of `:split` for the window of transcripts and comparisons

---@class mux.Config
---@field program string|string[] `mux-lsp`, as its name on the PATH, its path, or a command line
---@field attach boolean attach to the buffers of git repositories automatically
---@field keymaps boolean define the suggested keymaps
---@field prefix string the prefix of most of them
---@field agents string[]|false the agents of a task without any, false for those of mux-lsp's configuration
---@field notify boolean notify with `vim.notify` when a task has ended
---@field review mux.ReviewConfig
---@field tasks mux.TasksConfig
---@field documents mux.DocumentsConfig

--- The settings that a person gives: any of them.
---@class mux.Settings
---@field program? string|string[] `mux-lsp`, as its name on the PATH, its path, or a command line
---@field attach? boolean attach to the buffers of git repositories automatically
---@field keymaps? boolean define the suggested keymaps
---@field prefix? string the prefix of most of them
---@field agents? string[]|false the agents of a task without any, false for those of mux-lsp's configuration
---@field notify? boolean notify with `vim.notify` when a task has ended
---@field review? { inline?: boolean, signs?: mux.SignSettings|false, labels?: boolean, max_lines?: integer, delay?: integer }
---@field tasks? { split?: string, height?: integer, width?: integer }
---@field documents? { split?: string }

---@class mux.SignSettings
---@field add? string
---@field change? string
---@field delete? string
---@field conflict? string

---@type mux.Config
M.defaults = {
  program = 'mux-lsp',
  attach = true,
  keymaps = false,
  prefix = '<leader>m',
  agents = false,
  notify = true,
  review = {
    inline = true,
    signs = { add = '+', change = '~', delete = '-', conflict = '!' },
    labels = true,
    max_lines = 40,
    delay = 200,
  },
  tasks = { split = 'botright', height = 12, width = 60 },
  documents = { split = 'botright' },
}

--- The values that a setting accepts.
---@class mux.SettingType
---@field accepts fun(value: any): boolean
---@field expected string the accepted values, in words

---@param lua_type string
---@param expected string
---@return mux.SettingType
local function of_type(lua_type, expected)
  return {
    expected = expected,
    accepts = function(value)
      return type(value) == lua_type
    end,
  }
end

---@param minimum integer
---@return mux.SettingType
local function whole_number(minimum)
  return {
    expected = ('a whole number, %d or more'):format(minimum),
    accepts = function(value)
      return type(value) == 'number' and value % 1 == 0 and value >= minimum
    end,
  }
end

---@param value any
---@return boolean
local function is_text_list(value)
  if type(value) ~= 'table' or not vim.islist(value) or #value == 0 then
    return false
  end
  return vim.iter(value):all(function(one)
    return type(one) == 'string' and one ~= ''
  end)
end

---@param value any
---@return boolean
local function is_sign(value)
  return type(value) == 'string' and vim.fn.strdisplaywidth(value) <= 2 and not value:find('%c')
end

---@param value any
---@return boolean
local function are_signs(value)
  if value == false then
    return true
  end
  if type(value) ~= 'table' then
    return false
  end
  for name, sign in pairs(value) do
    if M.defaults.review.signs[name] == nil or not is_sign(sign) then
      return false
    end
  end
  return true
end

local boolean = of_type('boolean', 'true or false')

local SPLITS = {
  'aboveleft',
  'belowright',
  'botright',
  'horizontal',
  'leftabove',
  'rightbelow',
  'tab',
  'topleft',
  'vertical',
}

---@type mux.SettingType
local split = {
  expected = 'a string with one or more of ' .. table.concat(SPLITS, ', '),
  accepts = function(value)
    return type(value) == 'string'
      and vim.iter(vim.split(value, '%s+', { trimempty = true })):all(function(word)
        return vim.tbl_contains(SPLITS, word)
      end)
  end,
}

--- The type of each setting.
---@type table<string, mux.SettingType>
M.types = {
  program = {
    expected = 'a string, or a list of strings: a program and its arguments',
    accepts = function(value)
      return is_text_list(value) or (type(value) == 'string' and value ~= '')
    end,
  },
  attach = boolean,
  keymaps = boolean,
  prefix = {
    expected = 'a string that is not empty',
    accepts = function(value)
      return type(value) == 'string' and value ~= ''
    end,
  },
  agents = {
    expected = 'a list of agent names, or false',
    accepts = function(value)
      return value == false or is_text_list(value)
    end,
  },
  notify = boolean,
  ['review.inline'] = boolean,
  ['review.signs'] = {
    expected = 'false, or a table with any of add, change, delete and conflict, of one or two columns each',
    accepts = are_signs,
  },
  ['review.labels'] = boolean,
  ['review.max_lines'] = whole_number(1),
  ['review.delay'] = whole_number(0),
  ['tasks.split'] = split,
  ['tasks.height'] = whole_number(1),
  ['tasks.width'] = whole_number(1),
  ['documents.split'] = split,
}

---@param given table
---@param prefix string
---@param problems string[]
local function check(given, prefix, problems)
  for name, value in vim.spairs(given) do
    local path = prefix .. tostring(name)
    local setting = M.types[path]
    if setting then
      if not setting.accepts(value) then
        table.insert(problems, ('%s is %s, but must be %s'):format(path, vim.inspect(value), setting.expected))
      end
    elseif M.defaults[path] == nil then
      local names = vim.tbl_filter(function(known)
        return vim.startswith(known, prefix) and not known:sub(#prefix + 1):find('.', 1, true)
      end, vim.tbl_keys(M.types))
      table.sort(names)
      table.insert(problems, ('%s is not a setting: the settings are %s'):format(path, table.concat(names, ', ')))
    elseif type(value) ~= 'table' then
      table.insert(problems, ('%s is %s, but must be a table'):format(path, vim.inspect(value)))
    else
      check(value, path .. '.', problems)
    end
  end
end

--- Return the problems of settings, in words.
---@param given any
---@return string[]
function M.problems(given)
  if type(given) ~= 'table' then
    return { ('the settings are %s, but must be a table'):format(vim.inspect(given)) }
  end
  local problems = {} ---@type string[]
  check(given, '', problems)
  return problems
end

---@type mux.Config?
local current
---@type table? `vim.g.mux`, read once
local global
---@type table
local given_to_setup = {}

---@param where string
---@param given any
---@return table
local function valid(where, given)
  local problems = M.problems(given)
  if #problems == 0 then
    return given
  end
  notify.error(('%s: %s. See :help mux-settings.'):format(where, table.concat(problems, '; ')))
  return {}
end

--- Return the current settings.
---@return mux.Config
function M.get()
  if not current then
    global = global or vim.g.mux == nil and {} or valid('vim.g.mux', vim.g.mux)
    current = vim.tbl_deep_extend('force', M.defaults, global, given_to_setup) ---@diagnostic disable-line: assign-type-mismatch, param-type-mismatch
  end
  local settings = assert(current)
  return settings
end

--- Set settings, which take precedence over those of `vim.g.mux`. Where one is invalid, report it and set none.
---@param given table
function M.set(given)
  given_to_setup = valid('setup', given)
  current = nil
end

return M
