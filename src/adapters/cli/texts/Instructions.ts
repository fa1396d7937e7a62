/** Texts about the instructions that a folder has for agents. Names are made harmless by the caller. */

const kibibytes = (bytes: number): string => `${Math.floor(bytes / 1024)} KiB`

export const cut = (bytes: number): string => `cut at ${kibibytes(bytes)}`

export const noRoom = (bytes: number): string => `left out: more than ${kibibytes(bytes)} in all`

export const leftOut = (why: string): string => `left out: ${why}`

/** What the model is told. */
export const introduction =
  "The folder has instructions for you. Where two of them conflict, the later one wins; what the user says comes first."

/** What the model is told. */
export const block = ({
  note,
  printed,
  text
}: {
  readonly note: string | null
  readonly printed: string
  readonly text: string
}): string =>
  `<instructions file="${printed}">\n${text.replace(/\n$/, "")}\n${note === null ? "" : `[${note}]\n`}</instructions>`

export const line = (files: ReadonlyArray<{ readonly printed: string; readonly note: string | null }>): string =>
  `instructions ${files.map(({ note, printed }) => (note === null ? printed : `${printed} (${note})`)).join(", ")}`
