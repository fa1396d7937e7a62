/** What any request may be refused with, before it is known what it asks for. */
import {
  BodyTooLarge,
  Malformed,
  MethodNotAllowed,
  NoSuchRoute,
  TooMany,
  Unauthorized,
  Unexpected,
  UnsupportedContent
} from "./RequestErrors.js"

export const refusals = [
  Malformed,
  Unauthorized,
  NoSuchRoute,
  MethodNotAllowed,
  BodyTooLarge,
  UnsupportedContent,
  TooMany,
  Unexpected
] as const
