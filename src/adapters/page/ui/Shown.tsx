/** Texts as they are, with hidden characters made visible. No text is ever read as HTML. */
import { memo } from "./memo.js"
import * as Visible from "../model/Visible.js"

/** A text in which nothing stays hidden, as a part of one with a direction of its own, such as a paragraph. */
export const Part = memo(({ text }: { readonly text: string }) => (
  <>
    {Visible.pieces(text).map(({ hidden, text }) =>
      hidden ? (
        <mark class="hidden" title="A character that would be invisible">
          {text}
        </mark>
      ) : (
        text
      )
    )}
  </>
))

/** A text in which nothing stays hidden, such as a command that somebody is asked to allow. It moves nothing around it. */
export const Shown = memo(({ text }: { readonly text: string }) => (
  <bdi>
    <Part text={text} />
  </bdi>
))
