/** Names of a server's tools and prompts here. */
import { createHash } from "node:crypto"
import * as PortableName from "../../domain/PortableName.js"

const longestName = 64

/** Returns a name for a tool or a prompt that every provider accepts, and that no other one of the server has. */
export const of = (server: string, name: string): string => {
  const plain = `${server}__${name}`
  if (PortableName.is(plain)) return plain
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8)
  return `${PortableName.of(plain).slice(0, longestName - hash.length - 1)}_${hash}`
}

/** Why an entry is left out whose name is that of another one. */
export const taken = "another one has its name"
