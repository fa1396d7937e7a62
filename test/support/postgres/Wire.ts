/**
 * As much of PostgreSQL's protocol as a proxy must know: where a message ends, which statement it asks to run, and
 * which answer belongs to that statement.
 */

export interface Message {
  /** The first byte, as a character. Empty for the messages that begin a connection, which have no type. */
  readonly type: string
  /** The whole message. */
  readonly bytes: Buffer
}

/** What comes after the type and the length. */
const bodyOf = ({ bytes, type }: Message): Buffer => bytes.subarray(type === "" ? 4 : 5)

/**
 * Splits the incoming bytes into whole messages; an incomplete one waits for its rest. `opens`: the first messages have
 * no type.
 */
export const reader = (opens: boolean): ((chunk: Buffer) => ReadonlyArray<Message>) => {
  let rest: Buffer = Buffer.alloc(0)
  let untyped = opens
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const messages: Array<Message> = []
    for (;;) {
      const head = untyped ? 0 : 1
      if (rest.length < head + 4) return messages
      const length = head + rest.readUInt32BE(head)
      if (rest.length < length) return messages
      const message = { type: untyped ? "" : String.fromCharCode(rest[0] ?? 0), bytes: rest.subarray(0, length) }
      rest = rest.subarray(length)
      messages.push(message)
      // A request for encryption is followed by another message of this kind; the proxy answers the request itself,
      // without the server.
      if (untyped && !asksForEncryption(message)) untyped = false
    }
  }
}

/** Whether a client asks to encrypt, which the answer `N` refuses. */
export const asksForEncryption = (message: Message): boolean =>
  message.type === "" && [80_877_103, 80_877_104].includes(bodyOf(message).readUInt32BE(0))

const textAt = (bytes: Buffer, from: number): string => bytes.toString("utf8", from, bytes.indexOf(0, from))

/** Determines which statements a client asks to run, based on what it has prepared and bound before. */
export const statements = (): ((message: Message) => string | null) => {
  const prepared = new Map<string, string>()
  const bound = new Map<string, string>()
  return (message) => {
    if (!["Q", "P", "B", "E"].includes(message.type)) return null
    const body = bodyOf(message)
    const first = textAt(body, 0)
    if (message.type === "Q") return first
    if (message.type === "E") return bound.get(first) ?? ""
    const second = textAt(body, Buffer.byteLength(first) + 1)
    if (message.type === "P") prepared.set(first, second)
    else bound.set(first, prepared.get(second) ?? "")
    return null
  }
}

/** Whether a client's message ends a unit that the server answers with one ReadyForQuery. */
export const endsUnit = ({ type }: Message): boolean => type === "Q" || type === "S"

/** Whether a server's message ends the answer to a statement. */
export const endsStatement = ({ type }: Message): boolean => ["C", "E", "I", "s"].includes(type)

/** The code of an error that the server sends; null for any other message. */
export const failureCode = (message: Message): string | null => {
  if (message.type !== "E") return null
  const field = bodyOf(message)
    .toString("utf8")
    .split("\0")
    .find((field) => field.startsWith("C"))
  return field?.slice(1) ?? null
}

/** Whether the message is ReadyForQuery. */
export const isReady = ({ type }: Message): boolean => type === "Z"

/** Whether the server lets the client in: AuthenticationOk. */
export const isConsent = (message: Message): boolean => message.type === "R" && bodyOf(message).readUInt32BE(0) === 0

/** Whether the server has carried out a statement, by the name that it gives it. */
export const isDone = (message: Message, name: string): boolean =>
  message.type === "C" && textAt(bodyOf(message), 0) === name
