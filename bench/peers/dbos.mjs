/** A workflow of three steps of DBOS; `where` is the address of a PostgreSQL database. */
import { DBOS } from '@dbos-inc/dbos-sdk'
import { askedLoad, load } from './load.mjs'

const { where, ...asked } = askedLoad()
DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: where,
  logLevel: 'error',
  runAdminServer: false,
})
const three = DBOS.registerWorkflow(
  async () => {
    for (const name of ['a', 'b', 'c']) await DBOS.runStep(async () => 1, { name })
  },
  { name: 'three' },
)
await DBOS.launch()
await load(() => three(), asked)
await DBOS.shutdown()
process.exit(0)
