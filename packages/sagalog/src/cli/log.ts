/** `sagalog log`: what is in a log's directory, looked at from outside. */
import { logLs } from './log-ls.js'
import { type CommandGroup, withJson } from './program.js'

export const logCommands: CommandGroup = (program, context) => {
  const log = program.command('log').description('look into a log, verify it, copy it')

  withJson(log.command('ls'), 'print an array of segments as JSON')
    .description('list the segments of a log')
    .argument('<dir>', 'the directory of the log')
    .action(context.act((directory, options) => logLs(context, directory, options)))
}
