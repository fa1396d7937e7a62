/**
 * One connection to PostgreSQL. Statements are sent immediately, without waiting for earlier answers; the server runs
 * and answers them in the order in which they were sent. Each text is prepared once.
 *
 * - A failure is an `SqlFailure` with the server's code, without its text, which quotes statements and values.
 * - The client gives up a server that no longer answers, and the server a client that it no longer hears from: neither
 *   callers nor locks are held up for long.
 * - Integers and numerics are numbers, JSON is text.
 */
import { Effect, Redacted } from "effect"
import { Socket } from "node:net"
import pg from "pg"
import type { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { type Parameter, SqlFailure } from "../../services/storage/sql/Database.js"
import * as DatabaseUrl from "./DatabaseUrl.js"
import * as PostgresFailure from "./PostgresFailure.js"

export interface Answer {
  /** Objects with the names of the columns as keys, or arrays in the order of the columns. */
  readonly rows: ReadonlyArray<unknown>
  /** Rows that were selected or changed. */
  readonly count: number
  /** The kind of statement: INSERT, SELECT, COMMIT and so on. */
  readonly command: string
}

/** Trusts the author of the statement about the type of its rows. */
export const isRow = <Row>(row: unknown): row is Row => row !== undefined

export interface Connection {
  /** Sends a statement with $1, $2 and so on. Rejects with `SqlFailure`. */
  readonly send: (text: string, parameters: ReadonlyArray<Parameter>, asArrays?: boolean) => Promise<Answer>
  /** False once it is lost or closed: nothing more is answered. */
  readonly isOpen: () => boolean
  /** Completes once it is lost or closed. */
  readonly ended: Promise<void>
  /** Waits for the answers to what was sent, then ends. A connection that does not answer is cut. */
  readonly close: () => Promise<void>
}

export interface Options {
  readonly url: Redacted.Redacted
  /** The schema in which unqualified names are looked up, after the server's own names. */
  readonly schema: string
  /** The connection's name in `pg_stat_activity`. */
  readonly applicationName: string
  /** Whether the connection writes. Otherwise the server refuses writes on it. */
  readonly isLane: boolean
  /** How long a statement waits for a lock, in milliseconds, until it fails as busy. */
  readonly lockMillis: number
  /**
   * How long a transaction may be idle, in milliseconds, before the server ends it. Defaults to ten seconds, which is
   * the most.
   */
  readonly idleMillis?: number
  /** Whether its statements may scan whole tables and take long. Defaults to false: all access is by key. */
  readonly scans?: boolean
  /**
   * Whether a standby is accepted, which may lack the newest commits. Defaults to false: a standby is refused as 25006.
   */
  readonly mayLag?: boolean
  /**
   * Whether an integer that a number cannot hold becomes a bigint. Defaults to false: it becomes the nearest number.
   */
  readonly isExact?: boolean
  /** Called with each notification, once the connection has sent LISTEN. */
  readonly notified?: (payload: string, byBackend: number) => void
}

/** In milliseconds. */
const statementMillis = 30_000
const mostIdleMillis = 10_000
const connectMillis = 10_000
const keepAliveMillis = 5_000
const closeMillis = 1_000

/** How soon the server ends a statement without a time limit whose client is gone. */
const goneMillis = 1_000

/** A connection is cut when its answer is this much later than anything that the server itself would end. */
const graceMillis = 10_000

const asText = (text: string): string => text

const exactly = (text: string): number | bigint => (Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text))

const typesWith = (integer: (text: string) => number | bigint): pg.TypeOverrides => {
  const types = new pg.TypeOverrides()
  types.setTypeParser(20, integer)
  types.setTypeParser(1700, Number)
  types.setTypeParser(114, asText)
  types.setTypeParser(3802, asText)
  return types
}

const types = typesWith(Number)
const exactTypes = typesWith(exactly)

const names = new Map<string, string>()

/** The name that a text is prepared under, on each connection. */
const nameOf = (text: string): string => {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `s${names.size}`
  names.set(text, name)
  return name
}

/** Returns a name quoted for a statement. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const settings = ({
  idleMillis = mostIdleMillis,
  isLane,
  lockMillis,
  scans = false,
  schema
}: Options): Record<string, string> => ({
  search_path: quoted(schema),
  TimeZone: "UTC",
  // Every statement is short, but because of what is switched off below the planner would think that compiling one
  // pays.
  jit: "off",
  default_transaction_isolation: "read committed",
  default_transaction_read_only: isLane ? "off" : "on",
  lock_timeout: `${lockMillis}`,
  statement_timeout: scans ? "0" : `${statementMillis}`,
  // A process that is stopped in the middle of a transaction must not keep its locks.
  idle_in_transaction_session_timeout: `${Math.min(mostIdleMillis, Math.trunc(idleMillis))}`,
  tcp_keepalives_idle: `${keepAliveMillis / 1000}`,
  tcp_keepalives_interval: `${keepAliveMillis / 1000}`,
  tcp_keepalives_count: "3",
  tcp_user_timeout: `${4 * keepAliveMillis}`,
  // Plans made while tables were small would scan them once they are large.
  ...(scans ? {} : { enable_seqscan: "off", enable_bitmapscan: "off", enable_hashjoin: "off", enable_mergejoin: "off" })
})

interface Role {
  readonly isStandby: boolean
}

/**
 * Returns one statement that makes all settings. A commit that is answered is on disk, whatever the database's default
 * is.
 */
const set = (options: Options): string => {
  const entries = Object.entries(settings(options)).map(
    ([name, value]) => `set_config('${name}', ${pg.escapeLiteral(value)}, false)`
  )
  const durable = `set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false)`
  return `SELECT ${[...entries, durable, 'pg_is_in_recovery() AS "isStandby"'].join(", ")}`
}

const begin = async (options: Options, socket: Socket): Promise<Connection> => {
  const { applicationName, isExact = false, lockMillis, mayLag = false, notified, scans = false, url } = options
  const client = new pg.Client({
    connectionString: DatabaseUrl.forDriver(Redacted.value(url)),
    application_name: applicationName,
    connectionTimeoutMillis: connectMillis,
    ...(scans ? {} : { query_timeout: Math.max(lockMillis, statementMillis) + graceMillis }),
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMillis,
    stream: () => socket,
    pipeline: true,
    types: isExact ? exactTypes : types
  })
  let isCorked = false
  /** Statements sent in one turn of the microtasks go out together. */
  const cork = () => {
    if (isCorked) return
    isCorked = true
    socket.cork()
    process.nextTick(() => {
      isCorked = false
      socket.uncork()
    })
  }
  const prepared = new Set<string>()
  const preparing = new Set<string>()
  let isOpen = true
  /** Why the connection was lost. */
  let reason: SqlFailure | null = null
  const ended = new Promise<void>((resolve) =>
    client.on("end", () => {
      isOpen = false
      resolve()
    })
  )
  client.on("error", (error) => {
    isOpen = false
    reason ??= PostgresFailure.fromUnknown(error)
  })
  if (notified !== undefined) client.on("notification", ({ payload, processId }) => notified(payload ?? "", processId))
  await client.connect()
  // Servers before version 14, and those on Windows, refuse the setting.
  if (scans) await client.query(`SET client_connection_check_interval = ${goneMillis}`).catch(() => {})
  const { rows } = await client.query<Role>(set(options))
  if (!mayLag && rows.some(({ isStandby }) => isStandby)) {
    throw new SqlFailure({ code: PostgresFailure.readOnly, kind: "spoilt" })
  }
  return {
    send: async (text, parameters, asArrays = false) => {
      const values = [...parameters]
      // Whether a text can be prepared is not known until its first statement is answered.
      const isFirst = !prepared.has(text) && !preparing.has(text)
      const name = preparing.has(text) ? undefined : nameOf(text)
      if (isFirst) preparing.add(text)
      cork()
      try {
        const { command, rowCount, rows } = await (asArrays
          ? client.query<Array<unknown>>({ name, text, values, rowMode: "array" })
          : client.query<object>({ name, text, values }))
        if (isFirst) prepared.add(text)
        return { rows, count: rowCount ?? 0, command }
      } catch (thrown) {
        const failure = PostgresFailure.fromUnknown(thrown)
        if (failure.kind !== "spoilt") throw failure
        isOpen = false
        // A server that does not answer in time would keep the connection and its locks once it goes on.
        socket.destroy()
        // The first statement that fails with the loss has its reason; the others only learn that there is no
        // connection.
        reason ??= failure
        throw reason
      } finally {
        if (isFirst) preparing.delete(text)
      }
    },
    isOpen: () => isOpen,
    ended,
    close: async () => {
      isOpen = false
      const cut = setTimeout(() => socket.destroy(), closeMillis)
      await client.end()
      clearTimeout(cut)
    }
  }
}

/** Connects. Fails when that takes more than ten seconds. An interrupted call leaves no connection. */
export const open = (options: Options): Effect.Effect<Connection, StorageUnusable | StorageFailed> =>
  Effect.async((resume) => {
    const socket = new Socket()
    begin(options, socket).then(
      (connection) => resume(Effect.succeed(connection)),
      (thrown: unknown) => {
        socket.destroy()
        resume(Effect.fail(PostgresFailure.whileOpening(DatabaseUrl.where(Redacted.value(options.url)), thrown)))
      }
    )
    return Effect.sync(() => socket.destroy())
  })

/** The same, closed with the scope. */
export const scoped = (options: Options) =>
  Effect.acquireRelease(Effect.interruptible(open(options)), ({ close }) => Effect.promise(close))

/** Sends a statement as an effect. An interrupted caller does not wait for the answer. */
export const ask = (
  { send }: Connection,
  text: string,
  parameters: ReadonlyArray<Parameter> = [],
  asArrays = false
): Effect.Effect<Answer, SqlFailure> =>
  Effect.tryPromise({ try: () => send(text, parameters, asArrays), catch: PostgresFailure.fromUnknown })
