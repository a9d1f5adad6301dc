/** `sagalog log`: what is in a log's directory, looked at from outside. */
import { logBackup, logRestore } from './log-backup.js'
import { logDump, readKinds } from './log-dump.js'
import { logLs } from './log-ls.js'
import { logVerify } from './log-verify.js'
import { wholeNumber } from './numbers.js'
import { type CommandGroup, withJson } from './program.js'

export const logCommands: CommandGroup = (program, context) => {
  const log = program.command('log').description('look into a log, verify it, copy it')

  withJson(log.command('ls'), 'print an array of segments as JSON')
    .description('list the segments of a log')
    .argument('<dir>', 'the directory of the log')
    .action(context.act((directory, options) => logLs(context, directory, options)))

  withJson(log.command('dump'), 'print a line of JSON for each record')
    .description('print the records of a log, in order')
    .argument('<dir>', 'the directory of the log')
    .option('--from <position>', 'begin at this position', wholeNumber(0))
    .option('--to <position>', 'end before this position', wholeNumber(0))
    .option('--kind <kinds>', 'only records of these kinds, as in message,event', readKinds)
    .option('--limit <n>', 'at most so many records', wholeNumber(0))
    .option('--bytes <n>', 'show so many bytes of each body', wholeNumber(0), 64)
    .action(context.act((directory, flags) => logDump(context, directory, flags)))

  withJson(log.command('verify'))
    .description('check every byte of a log, which may be in use, or of a backup')
    .argument('<dir>', 'the directory of the log or of the backup')
    .action(context.act((directory, options) => logVerify(context, directory, options)))

  withJson(log.command('backup'), 'print the manifest as JSON')
    .description('copy a log, which may be in use, and verify the copy')
    .argument('<dir>', 'the directory of the log')
    .argument('<to>', 'a new or empty directory')
    .action(context.act((directory, to, flags) => logBackup(context, directory, to, flags)))

  withJson(log.command('restore'), 'print the manifest as JSON')
    .description('make a log of a backup, and verify it')
    .argument('<backup>', 'the directory of the backup')
    .argument('<to>', 'a new or empty directory')
    .action(context.act((from, to, flags) => logRestore(context, from, to, flags)))
}
