/** Error messages, shown where something went wrong. */

/** An error in words. */
export const wordsOf = (error: unknown, otherwise = "Something went wrong"): string =>
  error instanceof Error ? error.message : otherwise

/** Announced immediately by screen readers; renders nothing for null. */
export const Failure = ({ text }: { readonly text: string | null }) =>
  text === null ? null : (
    <p class="note bad" role="alert">
      {text}
    </p>
  )
