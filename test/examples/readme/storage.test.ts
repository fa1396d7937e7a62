import { storageSuite } from "skein/testing"
import { MyStorage } from "./storage.js"

storageSuite({ name: "my storage", layer: MyStorage, runs: 5 })
