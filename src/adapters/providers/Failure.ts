/**
 * Turns a provider's error into a `ModelFailed`.
 *
 * Guaranteed: the detail is one line of at most 300 characters without control characters. It contains none of the given
 * secrets, and nothing that looks like a key. It consists of the server's own message; headers, the request and
 * undecodable frames are never quoted. Not guaranteed: that a server does not quote a prompt in its message.
 */
import {
  APICallError,
  AISDKError,
  InvalidResponseDataError,
  JSONParseError,
  TypeValidationError
} from "@ai-sdk/provider"
import { Array as Arr, Predicate, Redacted } from "effect"
import * as ContextOverflow from "../../domain/ContextOverflow.js"
import { ModelFailed } from "../../domain/SkeinError.js"

/** The model that failed. */
export interface Subject {
  /** `provider/model`. */
  readonly model: string
  readonly secrets: ReadonlyArray<Redacted.Redacted>
}

/** When it failed: before the server answered, or while its answer was read. */
export type Phase = "request" | "stream"

type Reason = ModelFailed["reason"]

/** Longest wait that a provider can request, in milliseconds. */
const longestRetryAfter = 3_600_000

const detailCharacters = 300

export const make = (
  subject: Subject,
  reason: Reason,
  detail: string,
  more: { readonly status?: number | null; readonly retryAfterMillis?: number | null } = {}
): ModelFailed =>
  new ModelFailed({
    model: subject.model,
    reason,
    status: more.status ?? null,
    retryAfterMillis: more.retryAfterMillis ?? null,
    detail: clean(detail, subject.secrets)
  })

/** `now` is milliseconds since the epoch, for a Retry-After that is a date. */
export const fromUnknown = (subject: Subject, error: unknown, phase: Phase, now: number): ModelFailed => {
  if (isUndecodable(error)) return fromUndecodable(subject, error)
  if (APICallError.isInstance(error)) return fromApiCall(subject, error, phase, now)
  if (InvalidResponseDataError.isInstance(error)) {
    return error.data === undefined
      ? make(subject, "cut", "the answer ended without a finish")
      : make(subject, "malformed", "the answer is not of the protocol")
  }
  if (AISDKError.isInstance(error)) return make(subject, reasonOfSdk(error), error.message)
  if (error instanceof Error) return make(subject, reasonOfError(error, phase), error.name)
  return fromFrame(subject, error)
}

/** Whether part of the answer was lost because it could not be read. */
export const isUndecodable = (error: unknown): boolean =>
  JSONParseError.isInstance(error) || TypeValidationError.isInstance(error)

/** Servers that imitate a vendor may send an error frame without all of the vendor's fields. */
const fromUndecodable = (subject: Subject, error: unknown): ModelFailed => {
  const frame = TypeValidationError.isInstance(error) ? error.value : null
  return Predicate.hasProperty(frame, "type") && (frame.type === "error" || frame.type === "response.failed")
    ? fromFrame(subject, frame)
    : make(subject, "malformed", "a frame of the answer does not decode")
}

const reasonOfSdk = (error: AISDKError): Reason => {
  if (error.name === "AI_LoadAPIKeyError") return "unauthorized"
  return error.name === "AI_EmptyResponseBodyError" ? "malformed" : "rejected"
}

const reasonOfError = (error: Error, phase: Phase): Reason => {
  if (error.name === "TimeoutError") return "silent"
  return phase === "stream" ? "cut" : "rejected"
}

const fromApiCall = (subject: Subject, error: APICallError, phase: Phase, now: number): ModelFailed => {
  const body = parse(error.responseBody)
  if (Predicate.hasProperty(body, "name") && isUndecodableName(body.name)) {
    return make(subject, "malformed", "the answer does not decode")
  }
  const status = error.statusCode ?? null
  const said = serverMessageOf(body)
  return make(subject, reasonOfApiCall(error, phase, said), said.message ?? error.message, {
    status,
    retryAfterMillis: retryAfter(error.responseHeaders, now)
  })
}

const isUndecodableName = (name: unknown): boolean => name === "AI_TypeValidationError" || name === "AI_JSONParseError"

const reasonOfApiCall = (error: APICallError, phase: Phase, said: ServerMessage): Reason => {
  if (error.statusCode === undefined) {
    if (!error.isRetryable) return "malformed"
    return phase === "stream" ? "cut" : "unreachable"
  }
  if (error.statusCode < 300) return AISDKError.isInstance(error.cause) ? "malformed" : "cut"
  return reasonOfStatus(error.statusCode, said)
}

/** An error frame within a stream: an object with some of `message`, `type`, `code`, `statusCode`; or just a text. */
const fromFrame = (subject: Subject, frame: unknown): ModelFailed => {
  const said = serverMessageOf(frame)
  const status = statusOf(frame)
  return make(subject, reasonOfStatus(status ?? 500, said), said.message ?? "the provider reported an error", {
    status
  })
}

const statusOf = (frame: unknown): number | null => {
  const candidates = [
    Predicate.hasProperty(frame, "statusCode") ? frame.statusCode : null,
    Predicate.hasProperty(frame, "code") ? frame.code : null
  ]
  return candidates.map(Number).find((status) => Number.isInteger(status) && status >= 400 && status <= 599) ?? null
}

/** A 5xx may represent an error frame of a stream; then only the kind says what happened. */
const reasonOfStatus = (status: number, { kind, message }: ServerMessage): Reason => {
  if (kind.includes("insufficient_quota")) return "rejected"
  if (status === 401 || status === 403) return "unauthorized"
  if (status === 429) return "rate-limited"
  if (status >= 500) return ContextOverflow.read(message ?? "") === null ? reasonOfKind(kind) : "rejected"
  return status === 408 || status === 409 || status === 425 ? "overloaded" : "rejected"
}

/** Judges by the words in vendors' error names. */
const reasonOfKind = (kind: string): Reason => {
  if (/billing|policy|image/u.test(kind)) return "rejected"
  if (/rate_?limit/u.test(kind)) return "rate-limited"
  if (/authentication|permission|api_key/u.test(kind)) return "unauthorized"
  return /invalid|not_found|too_large|context_length|bad_request/u.test(kind) ? "rejected" : "overloaded"
}

interface ServerMessage {
  readonly message: string | null
  readonly kind: string
}

const nothing: ServerMessage = { message: null, kind: "" }

/** Levels down to which a message is looked for. */
const deepest = 6

/** Finds a server's own words in `{ error: { message, type, code } }` and its usual variants. */
const serverMessageOf = (body: unknown, depth = 0): ServerMessage => {
  if (Predicate.isString(body)) return body.trim() === "" ? nothing : { message: body, kind: "" }
  if (depth > deepest) return nothing
  if (Arr.isArray(body)) return inList(body, depth)
  if (!Predicate.isRecord(body)) return nothing
  const inner = [body.error, Predicate.isRecord(body.response) ? body.response.error : null]
    .filter(isNested)
    .map((value) => serverMessageOf(value, depth + 1))
  const told = inner.find((said) => said.message !== null)
  if (told !== undefined) return told
  const message = [body.message, isNested(body.error) ? null : body.error, body.detail]
    .map((value) => serverMessageOf(value, depth + 1).message)
    .find(Predicate.isNotNull)
  const upstream = Predicate.isRecord(body.metadata) ? serverMessageOf(decoded(body.metadata.raw), depth + 1) : nothing
  const words = [message, upstream.message].filter(Predicate.isString).join(": ")
  const names = [body.type, body.code].filter(Predicate.isString)
  // Some say only by its name that a request did not fit.
  const overflow = ContextOverflow.read(words) === null ? names.filter((name) => ContextOverflow.read(name)) : []
  const said = [...overflow, words].filter((text) => text !== "").join(": ")
  return {
    message: said === "" ? null : said,
    kind: [...inner.map(({ kind }) => kind), ...names].join(" ").toLowerCase()
  }
}

const isNested = (value: unknown): boolean => Predicate.isRecord(value) || Arr.isArray(value)

/** Validators list what is wrong with a request; other lists hold one error. */
const inList = (list: ReadonlyArray<unknown>, depth: number): ServerMessage => {
  const issues = list.flatMap((issue) =>
    Predicate.hasProperty(issue, "msg") && Predicate.isString(issue.msg)
      ? [
          Predicate.hasProperty(issue, "loc") && Arr.isArray(issue.loc)
            ? `${issue.loc.join(".")}: ${issue.msg}`
            : issue.msg
        ]
      : []
  )
  return issues.length === 0 ? serverMessageOf(list[0], depth + 1) : { message: issues.join("; "), kind: "" }
}

/** What a gateway passes on may be JSON or plain words. */
const decoded = (raw: unknown): unknown => (Predicate.isString(raw) ? (parse(raw) ?? raw) : raw)

/** Null for a text that is not a JSON object or list. */
const parse = (text: string | undefined): unknown => {
  try {
    const value: unknown = JSON.parse(text ?? "")
    return isNested(value) ? value : null
  } catch {
    return null
  }
}

/**
 * Milliseconds to wait by `retry-after-ms` or `retry-after` (seconds or a date); at most an hour.
 *
 * @internal
 */
export const retryAfter = (headers: Record<string, string> | undefined, now: number): number | null => {
  const millis = Number(headers?.["retry-after-ms"] ?? Number.NaN)
  const value = headers?.["retry-after"] ?? ""
  const seconds = value.trim() === "" ? Number.NaN : Number(value)
  const candidates = [millis, seconds * 1000, Date.parse(value) - now]
  const wait = candidates.find((candidate) => candidate >= 0)
  return wait === undefined ? null : Math.min(Math.round(wait), longestRetryAfter)
}

const looksLikeKey = /\bbearer\s+\S+|\b(?:sk|pk|rk|gsk|xai|AIza)[-_]?[\w-]{16,}/giu

const clean = (text: string, secrets: ReadonlyArray<Redacted.Redacted>): string => {
  // All spellings of all secrets, the longest first: one may be the beginning of another.
  const spellings = secrets.flatMap(spellingsOf).sort((a, b) => b.length - a.length)
  const safe = spellings
    .reduce((left, spelling) => left.split(spelling).join("[redacted]"), text)
    .replace(looksLikeKey, "[redacted]")
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
  const points = Array.from(safe)
  return points.length <= detailCharacters ? safe : `${points.slice(0, detailCharacters - 1).join("")}…`
}

/**
 * The forms in which a server may quote a secret: unchanged, trimmed, in JSON, in a URL. A value too short to be a
 * secret, such as "none" for a server that takes any key, is not redacted.
 */
const spellingsOf = (secret: Redacted.Redacted): ReadonlyArray<string> => {
  const value = Redacted.value(secret)
  const trimmed = value.trim()
  const inUrl = /\p{Surrogate}/u.test(trimmed) ? trimmed : encodeURIComponent(trimmed)
  return [value, trimmed, JSON.stringify(value).slice(1, -1), inUrl].filter((spelling) => spelling.length >= 6)
}
