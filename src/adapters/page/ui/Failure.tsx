/** What went wrong, where it did. */

/** An error in words. */
export const wordsOf = (error: unknown, otherwise = "It did not work"): string =>
  error instanceof Error ? error.message : otherwise

/** Told at once to whoever listens to the page; nothing for null. */
export const Failure = ({ text }: { readonly text: string | null }) =>
  text === null ? null : (
    <p class="note bad" role="alert">
      {text}
    </p>
  )
