/** The session, and the place in it, that an address names: `#/ID` or `#/ID/PLACE`. Pure. */

export interface Route {
  readonly sessionId: string | null
  readonly seq: number | null
}

const pattern = /^#\/([A-Za-z0-9][A-Za-z0-9_-]{0,63})(?:\/([1-9]\d{0,8}))?$/

export const read = (hash: string): Route => {
  const match = pattern.exec(hash)
  return { sessionId: match?.[1] ?? null, seq: match?.[2] === undefined ? null : Number(match[2]) }
}

/** The one-time code of an address, as it is if it cannot be decoded; null when it has none. */
export const code = (hash: string): string | null => {
  const given = /^#code=([^&]{1,512})$/.exec(hash)?.[1] ?? null
  try {
    return given === null ? null : decodeURIComponent(given)
  } catch {
    return given
  }
}
