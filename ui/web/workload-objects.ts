/** Objects of the workloads, fetched when they are asked for. Only for workers: fetching waits. */
const urls = import.meta.glob<string>('../../scenarios/workloads/*.bpf.o', {
  query: '?url',
  import: 'default',
  eager: true,
});

export function workloadObject(name: string): Uint8Array {
  const url = urls[`../../scenarios/workloads/${name}.bpf.o`];
  if (url === undefined) throw new Error(`no workload ${name}`);
  const request = new XMLHttpRequest();
  request.open('GET', url, false);
  request.responseType = 'arraybuffer';
  request.send();
  if (request.status !== 200) throw new Error(`${url}: ${request.status} ${request.statusText}`);
  return new Uint8Array(request.response as ArrayBuffer);
}
