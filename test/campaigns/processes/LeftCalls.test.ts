import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import { RunId } from "../../../src/domain/Run.js"
import { CallId } from "../../../src/domain/Message.js"
import { SessionId } from "../../../src/domain/Session.js"
import { isRunning } from "../../unit/adapters/node/Running.js"
import { folder } from "../../unit/services/storage/disk.js"
import * as Child from "./Child.js"

/**
 * Prints its pid, that of a process outside its group, and that of a process in its group without an environment; then
 * writes without end. All of them ignore requests to end.
 */
const writer = (file: string) =>
  `trap "" TERM; read -r other < <(setsid sh -c 'echo $$; exec sleep 600 >&2'); env -i /bin/sleep 600 & ` +
  `echo $$ $other $!; ` +
  `while :; do echo x >> ${file}; sleep 0.05; done`

/** Leaves a process behind on purpose, and ends. */
const leave = (file: string) =>
  `read -r pid < <(setsid sh -c 'echo $$; exec sleep 600 > /dev/null 2>&1'); echo $pid > ${file}`

const kill = (pids: ReadonlyArray<number>) => pids.filter(isRunning).forEach((pid) => process.kill(pid, "SIGKILL"))

/** Prints which processes run. */
const look = (pids: ReadonlyArray<number>) =>
  `echo $(for pid in ${pids.join(" ")}; do case $(ps -o stat= -p $pid) in ""|Z*) echo gone;; *) echo runs;; esac; done)`

const Progress = Schema.Struct({ value: Schema.Struct({ callId: CallId, text: Schema.String }) })

const onLinux = process.platform === "linux" ? describe : () => undefined

onLinux("P9 many processes: a command that outlives a killed engine", () => {
  it.scopedLive("is ended before the next step of its session, and nothing else is", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const one = yield* Child.open(data)
      let key = 0
      const send = (child: Child.Child, session: SessionId, ...lines: ReadonlyArray<string>) =>
        child.get({ do: "send", session, text: lines.join("\n"), key: `k${++key}` })

      /** A session whose command runs in a process; returns the pids of all that runs. */
      const working = Effect.fnUntraced(function* (child: Child.Child, name: string, ...before: ReadonlyArray<string>) {
        const session = SessionId.make(name)
        yield* child.get({ do: "create", session })
        yield* send(child, session, ...before, writer(`${data}/${name}`))
        const heard = yield* child.get({ do: "hear", session, type: "call.progress" })
        const { callId, text } = Schema.decodeUnknownSync(Progress)(heard).value
        const pids = text.split(" ").map(Number)
        yield* Effect.addFinalizer(() => Effect.sync(() => kill(pids)))
        return { session, callId, pids }
      })
      /** Sends a command to a session and returns what it printed. */
      const ask = Effect.fnUntraced(function* (child: Child.Child, session: SessionId, command: string) {
        const run = Schema.decodeUnknownSync(RunId)(yield* send(child, session, command))
        yield* child.get({ do: "await", session, run })
        const lines = Schema.decodeUnknownSync(Schema.Array(Schema.String))(yield* child.get({ do: "read", session }))
        return lines.at(-2)
      })

      const dead = yield* working(one, "shell-dead", leave(`${data}/left`))
      const left = Number(readFileSync(`${data}/left`, "utf8"))
      yield* Effect.addFinalizer(() => Effect.sync(() => kill([left])))
      const untouched = yield* working(one, "shell-untouched")
      // As if the dead session's command had started this engine. It is in a group of its own, so that at worst it ends
      // only itself.
      const other = yield* Child.open(data, {
        wrapper: ["setsid"],
        env: { SKEIN_CALL: dead.callId },
        // It claims what it is asked for, and does not look for left runs by itself.
        recoverMillis: 24 * 60 * 60 * 1_000
      })
      const living = yield* working(other, "shell-living")
      yield* one.kill
      const all = [...dead.pids, ...untouched.pids, ...living.pids, left]
      expect(all.map(isRunning)).toEqual(all.map(() => true))

      expect(yield* ask(other, dead.session, look(all))).toBe("gone gone gone runs runs runs runs runs runs runs")
      expect(yield* ask(other, untouched.session, look(all))).toBe("gone gone gone gone gone gone runs runs runs runs")
    })
  )
})
