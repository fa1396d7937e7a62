/** What Linux says about a process in `/proc/<pid>/stat`. */
import { Option } from "effect"

export interface ProcessStat {
  readonly pid: number
  readonly state: string
  readonly group: number
  readonly threads: number
  /** Clock ticks since boot. */
  readonly startTime: string
}

/**
 * Returns none when the text has another form. The program's name is in brackets and may hold any character, brackets
 * too.
 */
export const parse = (text: string): Option.Option<ProcessStat> => {
  const fields = text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(" ")
  const pid = Number.parseInt(text, 10)
  const [state, , group] = fields
  const threads = fields[17]
  const startTime = fields[19]
  return Number.isNaN(pid) ||
    state === undefined ||
    group === undefined ||
    threads === undefined ||
    startTime === undefined
    ? Option.none()
    : Option.some({ pid, state, group: Number(group), threads: Number(threads), startTime })
}

/** Whether nothing of a process runs any more, even if its parent has not yet asked for its exit code. */
export const hasEnded = ({ state, threads }: ProcessStat): boolean => /^[ZXx]$/.test(state) && threads <= 1
