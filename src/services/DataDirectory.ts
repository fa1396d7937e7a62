/** Where an engine keeps what it stores: the absolute path of one folder. It need not exist yet. */
import { Context } from "effect"

export class DataDirectory extends Context.Tag("skein/DataDirectory")<DataDirectory, string>() {}
