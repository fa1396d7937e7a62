/** Texts as they are, with what would stay hidden made visible. No text is ever read as HTML. */
import { memo } from "./memo.js"
import * as Visible from "../model/Visible.js"

/** A text of which nothing is hidden, such as a command that somebody is to allow. */
export const Shown = memo(({ text }: { readonly text: string }) => (
  <bdi>
    {Visible.pieces(text).map(({ hidden, text }) =>
      hidden ? (
        <mark class="hidden" title="a character that would not be seen">
          {text}
        </mark>
      ) : (
        text
      )
    )}
  </bdi>
))
