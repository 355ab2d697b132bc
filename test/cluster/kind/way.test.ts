import { describe, expect, test } from 'vitest';
import { chooseWay } from './way.ts';

describe('A kind cluster is made', () => {
  test('of the official images where a Docker daemon gets them', () => {
    expect(chooseWay({ docker: true, images: true })).toEqual({
      way: 'official',
      why: 'a Docker daemon and a container registry answer',
    });
  });

  test('of images made here where a Docker daemon reaches no registry', () => {
    expect(chooseWay({ docker: true, images: false })).toEqual({
      way: 'own',
      why: 'a Docker daemon answers, but no container registry',
    });
  });

  test('of images made here where there is no Docker daemon', () => {
    expect(chooseWay({ docker: false, images: false })).toEqual({ way: 'own', why: 'no Docker daemon answers' });
  });
});
