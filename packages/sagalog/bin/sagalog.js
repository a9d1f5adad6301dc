#!/usr/bin/env node
/** The command `sagalog`. A file of its own, so that it is there before anything is compiled. */
await import('../dist/cli/main.js')
