/** What a test says to a process with an engine (`program.ts`), and what the process answers: one line of JSON each. */
import { Schema } from "effect"
import { AssetId } from "../../../src/domain/Asset.js"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import { SessionActivity } from "../../../src/domain/SessionActivity.js"
import { Settings } from "../../../src/services/EngineConfig.js"

/** How the process is set up; its only argument. */
export const Setup = Schema.parseJson(
  Schema.Struct({
    data: Schema.String,
    settings: Settings.pick(
      "busyMaxMillis",
      "continueWithinMillis",
      "drainMillis",
      "leaseMillis",
      "recoverMillis",
      "recovery"
    ),
    /** Whether it opens nothing until it is told to. */
    waits: Schema.Boolean,
    /** On how many hosts it assumes the engines of its storage to be. */
    hosts: Schema.Literal("one", "many")
  })
)
export type Setup = typeof Setup.Type

const session = { session: SessionId }

export const Command = Schema.Union(
  Schema.Struct({ do: Schema.Literal("open") }),
  /** Closes the engine; it can be opened again. */
  Schema.Struct({ do: Schema.Literal("close") }),
  Schema.Struct({ do: Schema.Literal("create"), ...session }),
  /**
   * Messages `<name> 1` to `<name> <count>`, each filled up to `bytes` bytes; one after the other, or all at the same
   * time. Each is answered separately; a message that fails does not keep the next from being tried.
   */
  Schema.Struct({
    do: Schema.Literal("append"),
    ...session,
    name: Schema.String,
    count: Schema.Int,
    bytes: Schema.Int,
    atOnce: Schema.Boolean
  }),
  /**
   * Returns the run's id. The beginning of the session's id selects the model: with `hang` it never ends; with `half`
   * it says `So far` and then never ends; with `shell` it has the message's lines run by the shell, one per step; with
   * `beating` it calls a tool that never ends, which creates the file `began` next to the data, and `went-on` once it
   * was stopped for a second.
   */
  Schema.Struct({ do: Schema.Literal("send"), ...session, text: Schema.String, key: Schema.String }),
  /** Returns why the run ended. */
  Schema.Struct({ do: Schema.Literal("await"), ...session, run: RunId }),
  Schema.Struct({ do: Schema.Literal("cancel"), run: RunId }),
  /** Returns the sessions whose runs go on in this process. */
  Schema.Struct({ do: Schema.Literal("recover") }),
  /** Returns the id of the run that goes on. */
  Schema.Struct({ do: Schema.Literal("resume"), ...session, key: Schema.String }),
  /** Returns a run's state, and whether it is released. */
  Schema.Struct({ do: Schema.Literal("look"), run: RunId }),
  Schema.Struct({ do: Schema.Literal("delete"), ...session }),
  /** Waits for the first event of this type, beginning with the oldest, and returns it. */
  Schema.Struct({ do: Schema.Literal("hear"), ...session, type: Schema.String }),
  /** Returns the types of all durable events. */
  Schema.Struct({ do: Schema.Literal("types"), ...session }),
  /** Saves `bytes` bytes; returns the asset's id. */
  Schema.Struct({ do: Schema.Literal("save"), ...session, bytes: Schema.Int }),
  /** Reads an asset to its end; returns its size. */
  Schema.Struct({ do: Schema.Literal("load"), ...session, asset: AssetId }),
  /** Returns the first lines of all messages. */
  Schema.Struct({ do: Schema.Literal("read"), ...session }),
  /** Reads like `read`, again and again, until it receives `stop`. */
  Schema.Struct({ do: Schema.Literal("readOn"), ...session }),
  /** Returns how often `readOn` has read. */
  Schema.Struct({ do: Schema.Literal("timesRead") }),
  Schema.Struct({ do: Schema.Literal("stop") }),
  /** Returns what each session does, by its id. */
  Schema.Struct({ do: Schema.Literal("activities"), of: Schema.Array(SessionActivity) }),
  /** Returns the ids of all sessions. */
  Schema.Struct({ do: Schema.Literal("list") }),
  /** Answers immediately. */
  Schema.Struct({ do: Schema.Literal("ping") }),
  /** Answers when `millis` milliseconds have passed on its own clock. */
  Schema.Struct({ do: Schema.Literal("wait"), millis: Schema.Int }),
  /** Returns by how many milliseconds its 10 ms timer was late at most since this was last asked. */
  Schema.Struct({ do: Schema.Literal("lateness") }),
  /** Returns what its wall clock shows. */
  Schema.Struct({ do: Schema.Literal("time") }),
  /** Takes memory until there is no more. */
  Schema.Struct({ do: Schema.Literal("hoard") })
)
export type Command = typeof Command.Type

export const Request = Schema.parseJson(Schema.Struct({ id: Schema.Int, command: Command }))

/** The fields of a typed error. */
export const Failure = Schema.Struct(
  { _tag: Schema.String },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
)
export type Failure = typeof Failure.Type

/** `Done` and `Failed` end a command. */
const Answer = Schema.Union(
  /** A message of `append` is stored. */
  Schema.TaggedStruct("Stored", { name: Schema.String }),
  /** A message of `append` is not stored, or may not be. */
  Schema.TaggedStruct("Refused", { name: Schema.String, failure: Failure }),
  Schema.TaggedStruct("Done", { value: Schema.Unknown }),
  Schema.TaggedStruct("Failed", { failure: Failure })
)
export type Answer = typeof Answer.Type

/** `id` is the command's. */
export const Line = Schema.parseJson(Schema.Struct({ id: Schema.Int, answer: Answer }))
