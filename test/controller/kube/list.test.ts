import { expect, test } from 'vitest';
import { listAll, metadataOnly } from '../../../controller/kube/list.ts';
import { type Call, startStub, status, transportTo } from './stub-api-server.ts';

const path = '/api/v1/secrets';
const { signal } = new AbortController();

/** What an API server does with another form: it does not know `v=1`, and says so. */
function answerAs(form: string, call: Call, answer: object): void {
  if (call.headers.accept === `application/json;as=${form};g=meta.k8s.io;v=v1`) call.end(`${JSON.stringify(answer)}\n`);
  else call.json(406, status(406, 'NotAcceptable', `only the following media types are accepted: ${form};v=v1`));
}

test('metadata is asked for in the one version that the API server knows, to list and to watch', async () => {
  const metadata = { name: 'a', namespace: 'shop', resourceVersion: '5' };
  const item = { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata };
  const list = { ...item, kind: 'PartialObjectMetadataList', metadata: { resourceVersion: '7' }, items: [item] };
  const stub = await startStub((call) =>
    call.watch
      ? answerAs('PartialObjectMetadata', call, { type: 'ADDED', object: item })
      : answerAs('PartialObjectMetadataList', call, list),
  );
  const transport = transportTo(stub);
  const listed = await listAll(transport, path, {}, signal, metadataOnly.list);
  expect(listed).toEqual({ objects: new Map([['shop/a', item]]), resourceVersion: '7' });
  const watch = transport.watch(path, {}, { signal, idleMsMax: 10_000, accept: metadataOnly.watch });
  expect((await watch.next()).value).toEqual({ type: 'ADDED', object: item });
  await watch.return();
});

test('a list of metadata without items, which the API server gives as null, is empty', async () => {
  const stub = await startStub((call) =>
    call.json(200, {
      apiVersion: 'meta.k8s.io/v1',
      kind: 'PartialObjectMetadataList',
      metadata: { resourceVersion: '7' },
      items: null,
    }),
  );
  const listed = await listAll(transportTo(stub), path, {}, signal, metadataOnly.list);
  expect(listed).toEqual({ objects: new Map(), resourceVersion: '7' });
});
