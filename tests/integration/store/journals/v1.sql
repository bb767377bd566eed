PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
            run TEXT REFERENCES runs (id) ON DELETE CASCADE,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "events" VALUES(1,'k3f',NULL,1764000000.0,'task.added','{}');
INSERT INTO "events" VALUES(2,'b2c',NULL,1764000000.0,'task.added','{}');
INSERT INTO "events" VALUES(3,'k3f','k3f-1',1764000000.0,'run.finished','{"previous":"preparing","reason":null}');
INSERT INTO "events" VALUES(4,'k3f','k3f-2',1764000000.0,'run.running','{"previous":"preparing","reason":"a reason"}');
INSERT INTO "events" VALUES(5,'k3f','k3f-3',1764000000.0,'run.failed','{"previous":"preparing","reason":"ended with exit status 3"}');
CREATE TABLE rejections (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            hunk TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (run, path, hunk)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "rejections" VALUES('k3f-1','"logo.png"','',1764000000.0);
INSERT INTO "rejections" VALUES('k3f-1','"src/b\udce9.py"','0123456789',1764000000.0);
CREATE TABLE runs (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
            ended INTEGER NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "runs" VALUES(1,'k3f-1','k3f',1,'{"id":"k3f-1","task":"k3f","agent":"claude","model":null,"state":"finished","reason":null,"base":"1111111111111111111111111111111111111111","result":"4444444444444444444444444444444444444444","files":[{"path":"src/b\udce9.py","kind":"added","old_mode":0,"new_mode":33188,"old_object":"0000000000000000000000000000000000000000","new_object":"5555555555555555555555555555555555555555","lines_added":3,"lines_removed":0},{"path":"logo.png","kind":"modified","old_mode":33188,"new_mode":33188,"old_object":"6666666666666666666666666666666666666666","new_object":"7777777777777777777777777777777777777777","lines_added":null,"lines_removed":null}],"hunks":2,"checks":[{"command":"make test","state":"passed","exit_status":0,"seconds":1.5}],"left_out":[{"path":"big.bin","reason":"is too large"}],"worktree":null,"port":41000,"pid":4711,"pid_created":1234.5,"exit_status":0,"message":"go on","taken":true,"cost_usd":0.25,"tokens":5000,"started":1000.5,"finished":1060.25}');
INSERT INTO "runs" VALUES(2,'k3f-2','k3f',0,'{"id":"k3f-2","task":"k3f","agent":"sh:make it","model":null,"state":"running","reason":"a reason","base":"1111111111111111111111111111111111111111","result":null,"files":[],"hunks":0,"checks":[],"left_out":[{"path":"big.bin","reason":"is too large"}],"worktree":"s1","port":null,"pid":4712,"pid_created":1234.75,"exit_status":null,"message":null,"taken":false,"cost_usd":null,"tokens":null,"started":1000.75,"finished":null}');
INSERT INTO "runs" VALUES(3,'k3f-3','k3f',1,'{"id":"k3f-3","task":"k3f","agent":"codex","model":null,"state":"failed","reason":"ended with exit status 3","base":"1111111111111111111111111111111111111111","result":null,"files":[],"hunks":0,"checks":[],"left_out":[{"path":"big.bin","reason":"is too large"}],"worktree":null,"port":null,"pid":null,"pid_created":null,"exit_status":3,"message":null,"taken":false,"cost_usd":null,"tokens":null,"started":1001.0,"finished":1002.0}');
INSERT INTO "runs" VALUES(4,'b2c-1','b2c',0,'{"id":"b2c-1","task":"b2c","agent":"gemini","model":"pro","state":"queued","reason":null,"base":"1111111111111111111111111111111111111111","result":null,"files":[],"hunks":0,"checks":[],"left_out":[],"worktree":null,"port":null,"pid":null,"pid_created":null,"exit_status":null,"message":null,"taken":false,"cost_usd":null,"tokens":null,"started":null,"finished":null}');
CREATE TABLE tasks (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            repository TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "tasks" VALUES(1,'k3f','"/home/ada/caf\udce9/project"','{"id":"k3f","prompt":"Do \u00fcn\u00efc\u00f6d\u00e9\nand half of a character: \ud800","repository":"/home/ada/caf\udce9/project","folder":"src","created":1000.0,"snapshot":{"commit":"1111111111111111111111111111111111111111","tree":"2222222222222222222222222222222222222222","head":"3333333333333333333333333333333333333333","left_out":[]},"checks":["make test"],"context":[{"path":"a.py","start":1,"end":2},{"path":"b.py","start":null,"end":null}],"runs":[],"numbered":3}');
INSERT INTO "tasks" VALUES(2,'b2c','"/home/ada/other"','{"id":"b2c","prompt":"Another","repository":"/home/ada/other","folder":"","created":2000.0,"snapshot":{"commit":"1111111111111111111111111111111111111111","tree":"2222222222222222222222222222222222222222","head":null,"left_out":[]},"checks":[],"context":[],"runs":[],"numbered":1}');
CREATE INDEX tasks_by_repository ON tasks (repository);
CREATE INDEX runs_by_task ON runs (task);
CREATE INDEX runs_unfinished ON runs (id) WHERE ended = 0;
CREATE INDEX events_by_task ON events (task);
CREATE INDEX events_by_run ON events (run);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',5);
COMMIT;
