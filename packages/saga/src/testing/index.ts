export { expectUndosAreTested, withoutUndo } from './mutations.js'
export { type Fake, sagaTest, type SagaTest, type SagaTestEnd } from './saga-test.js'
