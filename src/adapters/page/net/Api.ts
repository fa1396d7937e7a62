/**
 * The server's routes. All addresses are relative to the page's own, so that it works under any path; the browser sends
 * the sign-in cookie by itself. Failures are `Failed`, in the server's own words if it sent any.
 */
import type {
  Asset,
  Entry,
  Limits,
  OfferedAgent,
  Run,
  RunRef,
  Session,
  SessionPage,
  Snapshot,
  TimelineRow,
  Values,
  Verdict
} from "../model/Wire.js"

/** What a refusal is about, as far as the server says it. */
interface About {
  readonly field?: unknown
  readonly limit?: unknown
  readonly actual?: unknown
}

/** Why something did not work. `tag` is the error's name; "Unreachable" when no answer came. */
export class Failed extends Error {
  constructor(
    readonly status: number,
    readonly tag: string,
    message: string,
    readonly about: About = {}
  ) {
    super(message)
  }
}

interface Refusal extends About {
  readonly _tag: string
  readonly message: string
}

const isRefusal = (value: unknown): value is Refusal =>
  typeof value === "object" &&
  value !== null &&
  "_tag" in value &&
  typeof value._tag === "string" &&
  "message" in value &&
  typeof value.message === "string"

/** Page and server come from one build: an answer has the type of its route. */
export const isOf = <A>(value: unknown): value is A => value !== undefined

/** Called when the server does not know who is asking. */
export const signedOut = { tell: (): void => {} }

interface Wish {
  readonly json?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** The failure of an answer whose status is not one of success; also says when nobody is signed in. */
export const refused = (status: number, body: string): Failed => {
  let said: unknown = null
  try {
    said = JSON.parse(body)
  } catch {
    // Something in front of the server answered.
  }
  if (status === 401) signedOut.tell()
  return isRefusal(said)
    ? new Failed(status, said._tag, said.message, said)
    : new Failed(status, "Unknown", `The server answered with status ${status}`)
}

export const unreachable = () => new Failed(0, "Unreachable", "The server cannot be reached")

const request = async (method: string, path: string, { headers = {}, json }: Wish = {}): Promise<Response> => {
  const isJson = json !== undefined
  let response: Response
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: isJson ? { ...headers, "content-type": "application/json" } : headers,
      ...(isJson ? { body: JSON.stringify(json) } : {})
    })
  } catch {
    throw unreachable()
  }
  if (response.ok) return response
  throw refused(response.status, await response.text().catch(() => ""))
}

const ask = async <A>(method: string, path: string, wish?: Wish): Promise<A> => {
  const response = await request(method, path, wish)
  const value: unknown = await response.json().catch(() => {
    throw new Failed(response.status, "Unreachable", "The server's answer was cut off")
  })
  if (isOf<A>(value)) return value
  throw new Failed(response.status, "Unknown", "The server's answer is empty")
}

const tell = async (method: string, path: string, wish?: Wish): Promise<void> => {
  await request(method, path, wish)
}

const session = (id: string): string => `v1/sessions/${encodeURIComponent(id)}`

const query = (fields: Readonly<Record<string, string | number | undefined>>): string => {
  const all = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== "") all.set(name, String(value))
  }
  const text = all.toString()
  return text === "" ? "" : `?${text}`
}

/** An idempotency key, which makes retries of one change harmless. */
export const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

export interface SentFile {
  readonly assetId: string
  readonly mediaType: string
  readonly name?: string
}

export interface NewMessage {
  readonly text: string
  readonly files: ReadonlyArray<SentFile>
  readonly key: string
}

/** The fields of a new session. */
interface Fields {
  readonly title?: string
  readonly workdir?: string
  readonly model?: NonNullable<Session["model"]>
  readonly agent?: string
}

export interface Changes {
  readonly title?: string
  readonly model?: Session["model"]
  readonly agent?: string | null
}

export const login = (code: string) => tell("POST", "login", { json: { code } })
export const logout = () => tell("POST", "logout", { json: {} })

/** Who is asking: an id, which is "" while the server does not say, such as when it cannot be reached; null for nobody. */
export const who = async (): Promise<string | null> => {
  try {
    return (await ask<{ readonly id: string }>("GET", "me")).id
  } catch (error) {
    return error instanceof Failed && error.status !== 401 ? "" : null
  }
}

/** Whether the server knows who is asking. True also when it cannot be reached: what is shown then asks it again. */
export const isKnown = async (): Promise<boolean> => (await who()) !== null

export const sessions = (title: string, after?: string) =>
  ask<SessionPage>("GET", `v1/sessions${query({ order: "activity", limit: 50, title, after })}`)
export const listed = (id: string) => ask<Session>("GET", session(id))
export const limits = () => ask<Limits>("GET", "v1/limits")
export const agents = () => ask<ReadonlyArray<OfferedAgent>>("GET", "v1/agents")
export const create = (fields: Fields) => ask<Session>("POST", "v1/sessions", { json: fields })
export const patch = (id: string, changes: Changes) => ask<Session>("PATCH", session(id), { json: changes })
export const remove = (id: string) => tell("DELETE", session(id))

export const snapshot = (id: string) => ask<Snapshot>("GET", `${session(id)}/snapshot`)
export const timeline = (id: string) => ask<ReadonlyArray<TimelineRow>>("GET", `${session(id)}/timeline`)
export const transcript = (id: string, range: { readonly from?: number; readonly to?: number }) =>
  ask<ReadonlyArray<Entry>>("GET", `${session(id)}/transcript${query(range)}`)
export const lastRuns = (id: string) => ask<ReadonlyArray<Run>>("GET", `${session(id)}/runs${query({ limit: 10 })}`)

/** Sends a message, which waits for its turn if a run holds the session. */
export const send = (id: string, { files, key, text }: NewMessage) =>
  ask<RunRef>("POST", `${session(id)}/messages`, {
    json: { text, ...(files.length === 0 ? {} : { files }), whenBusy: "queue" },
    headers: { "idempotency-key": key }
  })
export const resume = (id: string) => ask<RunRef>("POST", `${session(id)}/resume`, { json: {} })
export const cancel = (runId: string) => tell("POST", `v1/runs/${encodeURIComponent(runId)}/cancel`, { json: {} })
export const answer = (questionId: string, verdict: Verdict, message?: string) =>
  tell("POST", `v1/questions/${encodeURIComponent(questionId)}/answer`, {
    json: message === undefined || message === "" ? { verdict } : { verdict, message }
  })

/** Answers the inquiry of a running call. */
export const fillIn = (questionId: string, values: Values) =>
  tell("POST", `v1/questions/${encodeURIComponent(questionId)}/answer`, { json: { verdict: "allow-once", values } })

export const assets = (id: string) => ask<ReadonlyArray<Asset>>("GET", `${session(id)}/assets`)
export const assetPath = (id: string, assetId: string) => `${session(id)}/assets/${encodeURIComponent(assetId)}`
export const asset = async (id: string, assetId: string): Promise<Blob> =>
  (await request("GET", assetPath(id, assetId))).blob()
export const newAssetPath = (id: string, name: string) => `${session(id)}/assets${query({ name })}`
export const removeAsset = (id: string, assetId: string) => tell("DELETE", assetPath(id, assetId))
export const exportPath = (id: string): string => `v1/export${query({ sessionIds: id })}`
