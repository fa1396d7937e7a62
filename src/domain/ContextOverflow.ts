/**
 * Recognizes from a provider's own words that a request did not fit into the model's context, and reads the sizes if it
 * states them. The words are those that Anthropic, OpenAI, Google, xAI, Mistral, llama.cpp, vLLM and LM Studio are
 * known to use. Pure.
 *
 * Not guaranteed: that every provider's words are known. A text that is not recognized is an ordinary refusal.
 */

/** Both in tokens; null when not stated. */
export interface ContextOverflow {
  /** How much fits into the context, including the answer. */
  readonly limit: number | null
  /** The provider's count for the request, without the answer. */
  readonly asked: number | null
}

const signs =
  /context[ _-]?(?:length|window|size|limit)|context_length_exceeded|(?:prompt|input|request)s?(?: is| are|'s length is)? too (?:long|large)|maximum prompt length|input token count|exceeds? the (?:model's )?maximum (?:number of )?(?:input )?tokens|`max_new_tokens` must be/iu

const count = "([0-9][0-9,_]*)"

const limits = [
  `maximum (?:context|prompt) length (?:is|of) (?:only )?${count}`,
  `context (?:length|size|window|limit) (?:is|of) (?:only )?${count}`,
  `context (?:length|size|window) \\(${count}`,
  `maximum number of tokens allowed \\(${count}`,
  `> ?${count}`,
  `${count} maximum context length`,
  `must be <= ${count}`,
  `limit of ${count} tokens`
].map((pattern) => new RegExp(pattern, "iu"))

const counts = [
  `${count} \\+ [0-9,_]+ >`,
  `(?:requested|resulted in|contains?|has) (?:about )?${count} (?:input )?tokens`,
  `too (?:long|large)[:(] ?${count} tokens`,
  `(?:request|prompt|input token count) \\(${count}`
].map((pattern) => new RegExp(pattern, "iu"))

/** The room for the answer, where a provider counts it with the request. */
const answers = [new RegExp(`${count} (?:in|for) the (?:completion|output)`, "iu")]

const find = (patterns: ReadonlyArray<RegExp>, text: string): number | null => {
  for (const pattern of patterns) {
    const tokens = Number(pattern.exec(text)?.[1]?.replace(/[,_]/gu, ""))
    if (Number.isSafeInteger(tokens) && tokens > 0) return tokens
  }
  return null
}

/** Returns null when the text is about something else. */
export const read = (text: string): ContextOverflow | null => {
  if (!signs.test(text)) return null
  const asked = find(counts, text)
  return { limit: find(limits, text), asked: asked === null ? null : asked - (find(answers, text) ?? 0) }
}
