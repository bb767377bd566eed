--- The types of the protocol. Generated from mux_lsp/lsp/protocol.py by `make generate`. Do not edit.
--- Nothing reads this file at run time.
---@meta

--- An agent by its configured name, or an inline command as `sh:COMMAND`.
---@class mux.protocol.RequestedAgent
---@field agent string
---@field count? integer
---@field model? string

---@class mux.protocol.Position
---@field line integer
---@field character integer

---@class mux.protocol.Range
---@field start mux.protocol.Position
---@field ['end'] mux.protocol.Position

--- A place that the prompt is about. Without `range`, the whole file.
---@class mux.protocol.ContextPlace
---@field uri string
---@field range? mux.protocol.Range

--- `unsaved` selects the unsaved buffers that go into the snapshot: this client's (`own`), those of every connected
--- client (`all`: refused if two clients hold different unsaved texts of one file), or nobody's (`none`).
---
--- Runs of tasks with a higher `priority` leave the queue first. When `stop_after` runs have equal results that passed
--- every check, the remaining runs are ended. `max_cost_usd` and `max_tokens` limit all runs together and replace the
--- settings' `task_usd` and `task_tokens`. `parent` is the run whose agent asks, if the client knows it: the task's
--- spending is charged to that run too. A `parent` that the server does not know is ignored. If the server recognizes
--- the calling agent itself, that takes precedence.
---@class mux.protocol.TaskStartParams
---@field prompt string
---@field agents? mux.protocol.RequestedAgent[]
---@field checks? string[]
---@field context? mux.protocol.ContextPlace[]
---@field repository? string
---@field unsaved? 'own'|'all'|'none'
---@field priority? integer
---@field stop_after? integer
---@field max_cost_usd? number
---@field max_tokens? integer
---@field parent? string

--- Runs of tasks with a higher `priority` leave the queue first.
---@class mux.protocol.TaskPrioritizeParams
---@field task string
---@field priority integer

--- `repository` is the URI of any folder in the repository. Without it, the tasks of all repositories.
---@class mux.protocol.TaskListParams
---@field repository? string

---@class mux.protocol.TaskParams
---@field task string

--- The id of a task or a run.
---@class mux.protocol.IdParams
---@field id string

--- `keep` lists the runs of the task that are not discarded.
---@class mux.protocol.DiscardParams
---@field id string
---@field keep? string[]

---@class mux.protocol.RunParams
---@field run string

--- `paths` limits the command to these files and the files in these folders. Without it, the whole run.
---@class mux.protocol.RunReviewParams
---@field run string
---@field paths? string[]

--- `mode` resolves collisions, as in `HunkAcceptParams`. `result` is the result of the run that the person reviewed;
--- if the run's newest result differs from it in these files, nothing is accepted.
---@class mux.protocol.RunAcceptParams
---@field run string
---@field paths? string[]
---@field mode? 'exact'|'instead'|'take'|'mark'
---@field result? string

--- `mode` and `result` are as in `RunAcceptParams`.
---@class mux.protocol.RunPickParams
---@field run string
---@field mode? 'exact'|'instead'|'take'|'mark'
---@field result? string

--- `offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.
---
--- `check` selects the output of the run's check with that number, counted from 0, in place of the agent's output. `on`
--- selects the tree that was checked: the run's `result`, its result with the protected files `restored`, or the
--- `snapshot`. `setup` selects the output of the set-up of the run's worktree, all of it in `stdout`. The stream
--- `transcript` is the conversation and the tool calls as JSON lines, one event per line, with `kind` and `at`.
---@class mux.protocol.RunLogParams
---@field run string
---@field check? integer
---@field on? 'result'|'restored'|'snapshot'
---@field setup? boolean
---@field stream? 'stdout'|'stderr'|'transcript'
---@field offset? integer
---@field limit? integer
---@field follow? boolean

---@class mux.protocol.RunDiffParams
---@field run string
---@field paths? string[]

--- `up_to_date`: first merge the person's current files into the run's: with this client's unsaved buffers (`own`),
--- with those of every connected client (`all`), or as they are on disk (`saved`).
---@class mux.protocol.RunContinueParams
---@field run string
---@field message string
---@field up_to_date? 'own'|'all'|'saved'

--- `uri` selects one document, `run` one run, both that run in that document. At least one is required.
---
--- `paths` limits the run to these files and the files in these folders.
---@class mux.protocol.ReviewListParams
---@field uri? string
---@field run? string
---@field paths? string[]

--- Hunks of one run by their ids.
---@class mux.protocol.HunkParams
---@field run string
---@field hunks string[]

--- `mode` resolves the collisions of a hunk: refuse (`exact`), remove the competing hunks of other runs of the task
--- (`instead`), replace the lines in the text with the run's lines (`take`), or put both between conflict markers
--- (`mark`).
---@class mux.protocol.HunkAcceptParams
---@field run string
---@field hunks string[]
---@field mode? 'exact'|'instead'|'take'|'mark'

--- `shared`: also reject the same hunks in other runs of the task.
---@class mux.protocol.HunkRejectParams
---@field run string
---@field hunks string[]
---@field shared? boolean

--- `what`: every change of the run to the file (`all`), or only the change that is not part of a hunk (`file`): its
--- name, its mode, or a content that is replaced as a whole.
---@class mux.protocol.FileParams
---@field run string
---@field path string
---@field what? 'all'|'file'

--- `mode` resolves collisions, as in `HunkAcceptParams`. `result` is as in `RunAcceptParams`.
---@class mux.protocol.FileAcceptParams
---@field run string
---@field path string
---@field what? 'all'|'file'
---@field mode? 'exact'|'instead'|'take'|'mark'
---@field result? string

--- `answer`: allow the action this once (`once`), for the runs that ask (`run`), for their task (`task`), or for the
--- repository from now on (`always`); or refuse it (`refuse`), with a `reason` that the agent reads.
---@class mux.protocol.PermissionReplyParams
---@field id string
---@field answer 'once'|'run'|'task'|'always'|'refuse'
---@field reason? string

--- A read-only document by its `mux:` URI.
---@class mux.protocol.DocumentParams
---@field uri string

--- `take_focus`: true if the client shall move its cursor there. Without it, the client decides.
---@class mux.protocol.DocumentShowParams
---@field uri string
---@field take_focus? boolean

--- `uri` limits the list to one file; `start` and `end` limit it further to changes that touch these lines, counted
--- from 0, both included. `repository` is the URI of any folder in the repository. Without both, the whole history.
--- `limit` is the maximum number of entries, newest first.
---@class mux.protocol.HistoryListParams
---@field uri? string
---@field repository? string
---@field start? integer
---@field ['end']? integer
---@field limit? integer

--- `unsaved` selects the live text to verify: as this client has it (`own`), with the unsaved buffers of every
--- connected client (`all`), or as it is on disk (`none`). With `run`, changes of this run are placed on that text, as
--- accepting would place them: the `hunks`, those in `paths`, or all. Without `checks`, the checks of the repository's
--- newest task are run, or else those of the settings.
---@class mux.protocol.VerifyParams
---@field repository? string
---@field run? string
---@field paths? string[]
---@field hunks? string[]
---@field checks? string[]
---@field unsaved? 'own'|'all'|'none'

--- A document that the client has open.
---@class mux.protocol.ReviewPlacesParams
---@field uri string

--- A change at a place of an open document. `hunk` is null for a change without hunks. The variant that is `step`
--- places after it among the open variants of the place is shown to this client from now on.
---@class mux.protocol.VariantShowParams
---@field uri string
---@field run string
---@field hunk? string
---@field step? integer

--- A file that a run changes.
---@class mux.protocol.VersionsShowParams
---@field run string
---@field path string

--- The repository that contains a folder. Without `repository`, the one that the client has open.
---@class mux.protocol.RepositoryNameParams
---@field repository? string

--- `unsaved` selects the unsaved buffers from which its `mux.toml` may be read, as in `TaskStartParams`.
---@class mux.protocol.RepositoryParams
---@field repository? string
---@field unsaved? 'own'|'all'|'none'

--- `digest` is the digest of the settings that the person was shown. Refused if the file has changed since.
---@class mux.protocol.RepositoryTrustParams
---@field repository? string
---@field unsaved? 'own'|'all'|'none'
---@field digest string

---@class mux.protocol.NoParams

--- `added` and `removed` count lines, null for a file that is not text. `old_path` is the path of a renamed file in
--- the snapshot, or the file that a copied one was made from; lines are counted against that file.
---@class mux.protocol.FileSummary
---@field path string
---@field old_path? string
---@field change 'added'|'modified'|'deleted'|'renamed'|'copied'
---@field added? integer
---@field removed? integer

--- The tests in a check's report, compared with the report of the same check on the snapshot. `added` of the
--- `newly_passing` tests did not exist there; `newly_failing` includes tests that passed there and are gone. At most 50
--- names of each kind are listed.
---@class mux.protocol.TestsShape
---@field passed integer
---@field failed integer
---@field skipped integer
---@field newly_passing integer
---@field added integer
---@field newly_failing integer
---@field names_passing string[]
---@field names_failing string[]

--- `baseline_state` is the check's state on the snapshot itself, null while unknown. `tests` is null if the check
--- wrote no report.
---@class mux.protocol.CheckResult
---@field command string
---@field state 'running'|'passed'|'failed'
---@field exit_status? integer
---@field seconds? number
---@field baseline_state? 'running'|'passed'|'failed'
---@field tests? mux.protocol.TestsShape

--- A path that a snapshot or a result could not include, and the reason.
---@class mux.protocol.LeftOutPath
---@field path string
---@field reason string

--- One agent's attempt. `reason` explains its state in words.
---
--- `files` has at most 200 entries, and all of them in the answer of `mux.run.get`. `file_count`, `added` and `removed`
--- are over all files, the last two in lines of the files that are text. `result` is the commit of what the run has
--- made, in the shadow store; it changes whenever the content does.
---
--- `tampered` lists the tests and the configuration of checks that the run changed or deleted; `restored_checks` are
--- the check results with these files as the snapshot had them. `queue_place` counts from 1. `rank` counts from 1 among
--- the task's runs that have ended; `reasons` explain it, one sentence each, and `tied` lists the runs with the same
--- rank. `discarded` is when the run was discarded, `kept_until` when it can no longer be restored.
---@class mux.protocol.RunShape
---@field id string
---@field task string
---@field agent string
---@field model? string
---@field state 'queued'|'preparing'|'running'|'waiting'|'checking'|'finished'|'failed'|'cancelled'|'interrupted'
---@field reason? string
---@field files mux.protocol.FileSummary[]
---@field file_count integer
---@field added integer
---@field removed integer
---@field hunks integer
---@field result? string
---@field checks mux.protocol.CheckResult[]
---@field tampered string[]
---@field restored_checks mux.protocol.CheckResult[]
---@field left_out mux.protocol.LeftOutPath[]
---@field worktree? string
---@field exit_status? integer
---@field cost_usd? number
---@field tokens? integer
---@field started? number
---@field finished? number
---@field discarded? number
---@field kept_until? number
---@field queue_place? integer
---@field rank? integer
---@field tied string[]
---@field reasons string[]

--- `repository` is the URI of the repository's root, `snapshot` a commit of the shadow store. `baseline` has the
--- check results on the snapshot itself: all `running` while the checks run, empty before that and if no baseline could
--- be found. `cost_usd` and `tokens` are the sums over all runs, null if no agent reported any. `parent` is the run
--- whose agent started the task, null if a person did. `notices` are sentences for the person who started it, for
--- example that a `mux.toml` is not trusted.
---@class mux.protocol.TaskShape
---@field id string
---@field prompt string
---@field state 'running'|'ended'
---@field repository string
---@field snapshot? string
---@field left_out mux.protocol.LeftOutPath[]
---@field created number
---@field notices string[]
---@field setup string[]
---@field baseline mux.protocol.CheckResult[]
---@field priority integer
---@field paused boolean
---@field stop_after? integer
---@field parent? string
---@field max_cost_usd? number
---@field max_tokens? integer
---@field cost_usd? number
---@field tokens? integer
---@field runs mux.protocol.RunShape[]

---@class mux.protocol.TaskResult
---@field task mux.protocol.TaskShape

---@class mux.protocol.TaskListResult
---@field tasks mux.protocol.TaskShape[]

---@class mux.protocol.RunResult
---@field run mux.protocol.RunShape

--- A run with the values by which it was ranked. `grade` sums up the checks, with the snapshot's protected files.
---
--- `agreement` is the mean fraction, from 0 to 1, of its lines that another run has too. `sharing` of the `total` other
--- runs have some of its lines; `shared` is the fraction of its lines that at least one of them has. `fixed` counts
--- tests that pass and failed on the snapshot, `broken` those that passed there and no longer do. `outside` lists
--- changed files that the prompt was not about, at most 200. `seconds` is how long the agent worked. `reasons` and
--- `tied` are those of the run.
---@class mux.protocol.RankedRun
---@field run string
---@field rank integer
---@field tied string[]
---@field grade 'passes'|'as_before'|'unchecked'|'own_tests'|'fails'|'unfinished'|'empty'
---@field reasons string[]
---@field agreement number
---@field shared number
---@field sharing integer
---@field total integer
---@field fixed integer
---@field broken integer
---@field lines integer
---@field outside string[]
---@field cost_usd? number
---@field seconds? number

--- The change of a run to a file. Lines are null if the file is not text.
---@class mux.protocol.ComparedChange
---@field change 'added'|'modified'|'deleted'|'renamed'|'copied'
---@field added? integer
---@field removed? integer

--- One change at a place. `runs` are all the runs that share it, best first. `gist` is its first line that is not
--- trivial, with its sign in front.
---@class mux.protocol.ComparedVariant
---@field hunk string
---@field runs string[]
---@field added integer
---@field removed integer
---@field gist string

--- Lines `[start, end)` of the snapshot's file that runs change, with the variants of the change, best first.
--- `differs` is true if not all runs that have changed anything make the same change here.
---@class mux.protocol.ComparedPlace
---@field start integer
---@field ['end'] integer
---@field differs boolean
---@field variants mux.protocol.ComparedVariant[]

--- `runs` are the runs that change the file; `hunks` maps every hunk to the runs that share it. A file that runs
--- rename is compared under its path in the snapshot; `renamed` maps each new path to the runs that have the file
--- there. `changes` maps each run to its change of the file. `places` are the places of the changes, at most 200.
---@class mux.protocol.ComparedFile
---@field path string
---@field runs string[]
---@field hunks table<string, string[]>
---@field renamed table<string, string[]>
---@field changes table<string, mux.protocol.ComparedChange>
---@field places mux.protocol.ComparedPlace[]

--- `ranking` has the runs that have ended, best first. `files` has at most 200 entries; `more` counts the others.
--- `equal` groups the runs with the same result. Discarded runs are in none of these.
---@class mux.protocol.TaskCompareResult
---@field task mux.protocol.TaskShape
---@field ranking mux.protocol.RankedRun[]
---@field files mux.protocol.ComparedFile[]
---@field more integer
---@field equal string[][]

--- `text` is the output, made harmless to a terminal. `offset` is where to continue reading.
---@class mux.protocol.RunLogResult
---@field text string
---@field offset integer
---@field ended boolean

--- A patch for `git apply`. If it is not UTF-8, `base64` has its exact bytes and `patch` a readable copy.
---@class mux.protocol.RunDiffResult
---@field patch string
---@field base64? string

--- A hunk with its status on the live text of the asking client. `hunk` is null for a change that is not text, which
--- is accepted together with its file. `path` and `old_path` are the file's (see `FileSummary`). `uri` is where its
--- text is now; for a renamed file that is one of the two paths. `range` is where the hunk lands, or what it collides
--- with. `resolutions` are the values of `mode` with which a conflict can still be accepted.
---@class mux.protocol.ReviewItem
---@field run string
---@field agent string
---@field path string
---@field old_path? string
---@field uri string
---@field hunk? string
---@field status 'pending'|'applied'|'conflict'|'rejected'
---@field reason? string
---@field resolutions ('exact'|'instead'|'take'|'mark')[]
---@field range mux.protocol.Range
---@field removed string
---@field added string

---@class mux.protocol.ReviewListResult
---@field items mux.protocol.ReviewItem[]

--- One change at a place. `runs` are all the runs that share it: `agreed` of the `total` runs that have changed
--- anything. `what` summarizes it in a few characters. `hunk` is null for a change that is not text, which is accepted
--- together with its file. `resolutions` are the values of `mode` with which it can be accepted now; `lost` are the
--- person's lines that `take` would overwrite.
---@class mux.protocol.VariantShape
---@field run string
---@field runs string[]
---@field agreed integer
---@field total integer
---@field agent string
---@field path string
---@field hunk? string
---@field what string
---@field status 'pending'|'applied'|'conflict'|'rejected'
---@field reason? string
---@field range mux.protocol.Range
---@field removed string
---@field added string
---@field resolutions ('exact'|'instead'|'take'|'mark')[]
---@field lost string[]

--- A place where changes of one task compete, best first. Code lenses and hint diagnostics show `variants[shown]`.
--- `open` is true if there is anything to decide. Once a variant is applied it is false, and other variants can be
--- accepted with `instead`.
---@class mux.protocol.PlaceShape
---@field task string
---@field range mux.protocol.Range
---@field open boolean
---@field shown integer
---@field variants mux.protocol.VariantShape[]

--- The places in the order of the text, at this version of the document, without places where all was rejected.
---@class mux.protocol.ReviewPlacesResult
---@field uri string
---@field version integer
---@field places mux.protocol.PlaceShape[]

--- The variant that is shown now. `shown` is its index, from 0, among the `total` open variants of the place.
---@class mux.protocol.VariantShowResult
---@field run string
---@field hunk? string
---@field shown integer
---@field total integer

--- The read-only documents that were opened beside the person's own.
---@class mux.protocol.VersionsShowResult
---@field uris string[]

--- `mux.client.diff`: show a change of an open document as a diff. `diff` is a read-only document with it.
---@class mux.protocol.ClientDiffParams
---@field uri string
---@field run string
---@field hunk? string
---@field diff string

--- `mux.client.merge`: open a merge for the person. `base` and `theirs` are read-only documents: the file in the
--- snapshot, and the file as the run has it.
---@class mux.protocol.ClientMergeParams
---@field uri string
---@field run string
---@field hunk? string
---@field base string
---@field theirs string

--- `mux.client.ask`: let the person select agents, and start a task with them. The fields are those of
--- `mux.task.start`.
---@class mux.protocol.ClientAskParams
---@field prompt string
---@field context mux.protocol.ContextPlace[]
---@field repository string

--- `accepted` counts the hunks that were placed, `already` those that were in the text before. `files` lists the
--- changed files. `instead_of` are the runs whose hunks were removed. `marked` counts the conflicts put between
--- markers, `rejected` the hunks that were left out because they are rejected. `kept` is the folder with copies of the
--- person's files that `take` overwrote, null if nothing was copied.
---@class mux.protocol.AcceptResult
---@field accepted integer
---@field already integer
---@field instead_of string[]
---@field marked integer
---@field rejected integer
---@field kept? string
---@field files string[]

--- The result of accepting the picked run. `discarded` are the runs that were discarded.
---@class mux.protocol.PickResult
---@field accepted integer
---@field already integer
---@field instead_of string[]
---@field marked integer
---@field rejected integer
---@field kept? string
---@field files string[]
---@field discarded string[]

--- The runs that this command discarded, and when they can no longer be restored (null if no run was).
---@class mux.protocol.DiscardResult
---@field discarded string[]
---@field kept_until? number

--- The runs that were restored.
---@class mux.protocol.RestoreResult
---@field restored string[]

--- The id of a task or a run.
---@class mux.protocol.IdResult
---@field id string

--- `rejected` counts the hunks that were not rejected before. `applied` counts those that are in the text: rejecting
--- a hunk does not remove it.
---@class mux.protocol.RejectResult
---@field rejected integer
---@field applied integer

--- `language` is LSP's identifier of its language, null if the file name at the end of the URI determines it.
---@class mux.protocol.DocumentResult
---@field text string
---@field language? string

--- `uri` is the URI that the client was asked to show: the `mux:` URI, or that of a read-only file.
---@class mux.protocol.DocumentShowResult
---@field uri string

--- A hunk that became part of a person's text. The record is permanent: it stays when its task is deleted.
---
--- `cause` is `accept` if the hunk was accepted through mux-lsp, `text` if the text had it otherwise: typed, or brought
--- in by another tool. `message` is the message with which the run was continued. `agreed` are the other runs of the
--- task that had the same hunk, `total` is the number of runs that had changed anything. `line` is where the hunk was
--- placed, in the text of `client`. `range` is where it is now in the text of the asking client, null if that is
--- unknown or no `uri` was given; `partial` is true if only some of its lines are left. For very long hunks `added` and
--- `removed` are null. `withdrawn` is when the text lost the hunk again, null while the text has it.
---@class mux.protocol.AcceptanceShape
---@field id integer
---@field at number
---@field withdrawn? number
---@field client string
---@field person string
---@field cause 'accept'|'text'
---@field repository string
---@field task string
---@field run string
---@field agent string
---@field model? string
---@field prompt string
---@field message? string
---@field agreed string[]
---@field total integer
---@field path string
---@field uri string
---@field hunk? string
---@field line integer
---@field removed? string
---@field removed_lines integer
---@field added? string
---@field added_lines integer
---@field range? mux.protocol.Range
---@field partial boolean

--- The acceptances, newest first.
---@class mux.protocol.HistoryListResult
---@field acceptances mux.protocol.AcceptanceShape[]

--- An agent by the name that tasks use. `command` is the command that it runs, with `PROMPT` in the prompt's place.
--- `configured` is true if config.toml defines it. Unknown values are null. `install` explains how to install it.
--- `logged_in` is true if there is a key or a file of credentials for it; neither is read.
---@class mux.protocol.AgentShape
---@field name string
---@field kind string
---@field command string
---@field configured boolean
---@field installed? boolean
---@field install? string
---@field version? string
---@field logged_in? boolean

--- The settings in a repository's own `mux.toml` (`file`); a setting that it does not have is null. They apply only
--- while `trusted`: the person trusts exactly these settings, identified by `digest`, which is null without settings.
--- `problem` is the reason why the file cannot be read. `hooks_trusted` is true if the person's config.toml lets agents
--- run the hooks and servers that the repository contains.
---@class mux.protocol.RepositoryResult
---@field repository string
---@field file string
---@field digest? string
---@field trusted boolean
---@field problem? string
---@field agents? string[]
---@field checks? string[]
---@field setup? string[]
---@field setup_inputs? string[]
---@field protected? string[]
---@field check_timeout_seconds? number
---@field hooks_trusted boolean

--- `at` is when the person last granted the trust.
---@class mux.protocol.TrustedRepository
---@field repository string
---@field at number

---@class mux.protocol.TrustListResult
---@field trusted mux.protocol.TrustedRepository[]

---@class mux.protocol.AgentListResult
---@field agents mux.protocol.AgentShape[]
---@field defaults string[]

--- US dollars, as far as agents reported a cost, and tokens.
---@class mux.protocol.SpentShape
---@field cost_usd number
---@field tokens integer

--- The check results on the live text of a repository; if `run` is given, with changes of it placed on that text:
--- its `hunks`, those in `paths`, or all. `baseline_state` of a check is its state on the snapshot of the newest task
--- that has these checks. `stale` is true if the text is neither what it was then nor what was checked. `left_out` are
--- paths that could not be included. `seconds` is the duration, `at` the start.
---@class mux.protocol.VerdictShape
---@field repository string
---@field passed boolean
---@field checks mux.protocol.CheckResult[]
---@field run? string
---@field hunks string[]
---@field paths string[]
---@field left_out mux.protocol.LeftOutPath[]
---@field at number
---@field seconds number
---@field stale boolean

--- `printed` is the end of each check's output, standard output before standard error.
---@class mux.protocol.VerifyResult
---@field verdict mux.protocol.VerdictShape
---@field printed string[]

--- `mux/verdictChanged`: there is a new verdict, or the text now differs from the checked one, or matches again.
---@class mux.protocol.VerdictChangedParams
---@field verdict mux.protocol.VerdictShape

--- `disk_bytes` is the size of the shadow store and the hidden worktrees, `spent` today's spending in this
--- repository. `verdict` is the last verdict of `mux.verify`.
---@class mux.protocol.RepositoryStatus
---@field repository string
---@field worktrees integer
---@field disk_bytes integer
---@field spent mux.protocol.SpentShape
---@field verdict? mux.protocol.VerdictShape

--- `queued_runs` counts the unfinished runs that are in the queue, those of paused tasks included. `spent` is
--- today's spending as reported by all agents; `day_usd` and `day_tokens` are the limits per day. `notices` are
--- sentences for the person that apply until this daemon ends, for example that its journal has lost its last changes.
---@class mux.protocol.StatusResult
---@field version string
---@field pid integer
---@field unfinished_runs integer
---@field queued_runs integer
---@field spent mux.protocol.SpentShape
---@field day_usd? number
---@field day_tokens? integer
---@field notices string[]
---@field repositories mux.protocol.RepositoryStatus[]

---@class mux.protocol.DeleteResult
---@field deleted string[]

--- `mux/taskChanged`: a task was started, has changed, or was `deleted`.
---@class mux.protocol.TaskChangedParams
---@field task mux.protocol.TaskShape
---@field deleted boolean

--- `mux/runChanged`: a run's state or result has changed. `previous` is its state before.
---@class mux.protocol.RunChangedParams
---@field run mux.protocol.RunShape
---@field previous string

--- `mux/runOutput`: a run's agent has printed. `offset` is the position of `text` in the stream, in bytes.
---@class mux.protocol.RunOutputParams
---@field run string
---@field stream 'stdout'|'stderr'
---@field offset integer
---@field text string

--- An action that agents request permission for. `subject` is a command, path or URL. All `runs` ask for it.
---@class mux.protocol.PermissionShape
---@field id string
---@field task string
---@field runs string[]
---@field tool string
---@field subject string
---@field title string

---@class mux.protocol.PermissionListResult
---@field permissions mux.protocol.PermissionShape[]

--- `mux/permissionRequested`: an agent asks permission. Sent again when another run asks for the same action.
---@class mux.protocol.PermissionRequestedParams
---@field permission mux.protocol.PermissionShape

--- `mux/permissionSettled`: the question was answered, it timed out, or the runs that asked are gone.
---@class mux.protocol.PermissionSettledParams
---@field id string
---@field task string
---@field answer string

--- `mux/reviewChanged`: the reviewable changes of these documents are different now.
---
--- `uris` has at most 200 entries, spelt as the client spells those that it has open; `more` counts the others.
---@class mux.protocol.ReviewChangedParams
---@field uris string[]
---@field more integer

--- `mux/queueChanged`: the order of the queued runs has changed. Runs of paused tasks are left out.
---
--- `runs` has at most 200 entries; `more` counts the others. A run that left has its slot, is paused or has ended.
---@class mux.protocol.QueueChangedParams
---@field runs string[]
---@field more integer

--- `mux/limitReached`: 80 % of a spending limit is used up; or all of it, and the work that it limits was `stopped`.
---
--- `scope` is what the limit applies to; `repository` is a day in one repository. `of` is the run, the task or the URI
--- of the repository, null for a day. `most` is the limit. `message` explains it in words.
---@class mux.protocol.LimitReachedParams
---@field scope 'run'|'task'|'day'|'repository'
---@field of? string
---@field unit 'usd'|'tokens'
---@field spent number
---@field most number
---@field stopped boolean
---@field message string

--- `data` of an error response. `kind` is for programs, the message for people.
---@class mux.protocol.ErrorData
---@field kind 'failed'|'usage'|'conflict'

--- `data` if `initialize` is refused because of the client's protocol version; `protocol` is the server's.
---@class mux.protocol.VersionErrorData
---@field kind 'failed'|'usage'|'conflict'
---@field protocol integer
