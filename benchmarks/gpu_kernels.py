"""Where a training step's time goes on a GPU: its kernels, those that take longest first."""

from __future__ import annotations

from dataclasses import replace

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_rows import ROWS, Bench, Training

PROFILED = ("20M, training, TF32", "20M, training, bf16 written out, graph", "1M, training at 256")
SHOWN = 14


def longest_kernels(bench: Bench, name: str) -> list[str]:
    """Lines of microseconds a step, launches a step and the kernel, of one call of that row."""
    row = ROWS[name]
    assert isinstance(row, Training)
    cuda = bench.device.type == "cuda"
    activities = [ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    with profile(activities=activities) as found:
        replace(row, steps=1, epochs=1).measure(bench)
        bench.synchronize()
    took = [
        (
            event.self_device_time_total if cuda else event.self_cpu_time_total,
            event.count,
            event.key,
        )
        for event in found.key_averages()
        if not cuda or event.device_type == DeviceType.CUDA
    ]
    took.sort(reverse=True)
    steps = bench.data(row).steps_per_call
    total = sum(time for time, _, _ in took) / steps
    launches = sum(count for _, count, _ in took) / steps
    head = f"{name}: {total:,.0f} microseconds in {launches:,.0f} kernels a step, of which"
    return [
        head,
        *(
            f"{t / steps:10,.1f} {count / steps:7.1f} × {key[:90]}"
            for t, count, key in took[:SHOWN]
        ),
    ]
