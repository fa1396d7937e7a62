/** A session as Markdown, to be read elsewhere. Pure. */
import { type Entry, isCall, isDiff, isFile, isText, type Session } from "./Wire.js"

/** A block of code whose fence is longer than any in it. */
const block = (text: string, language = ""): string => {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = "`".repeat(longest + 1)
  return `${fence}${language}\n${text}\n${fence}`
}

const sectionOf = ({ actor, message, seq }: Entry): ReadonlyArray<string> => {
  switch (message.role) {
    case "user":
      return [
        `## ${seq}. User${actor === null ? "" : ` (${actor})`}`,
        ...message.parts.flatMap((part) => {
          if (isText(part)) return [part.text]
          return isFile(part) ? [`File: ${part.name ?? part.assetId} (${part.mediaType})`] : []
        })
      ]
    case "assistant":
      return [
        `## ${seq}. ${message.model.provider}/${message.model.model}`,
        ...message.parts.flatMap((part) => {
          if (isText(part)) return [part.text]
          return isCall(part) ? [`**${part.name}**`, block(part.input, "json")] : []
        }),
        ...(message.partial === true ? ["*Cut off here.*"] : []),
        ...(message.parts.length === 0 ? ["*The answer is empty.*"] : [])
      ]
    case "tool":
      return [
        `### ${seq}. Result of ${message.name}: ${message.outcome}`,
        block(message.text),
        ...(message.parts ?? []).flatMap((part) => (isDiff(part) ? [`Changed: ${part.path}`] : []))
      ]
    case "other":
      return [`## ${seq}. ${message.unknownRole}`, block(JSON.stringify(message.stored, null, 2), "json")]
  }
}

export const of = (session: Session, entries: ReadonlyArray<Entry>): string =>
  `${[`# ${session.title === "" ? session.id : session.title}`, ...entries.flatMap(sectionOf)].join("\n\n")}\n`
