"""Callbacks that put a plane beside the loop of another library.

``esper_plane.callbacks.lightning`` has one for Lightning, ``...transformers`` one for
the Trainer of Hugging Face. Each is imported by its own name and needs that library.

What they can do is what one loss allows: a plane that watches the loss and the norm of
the gradient, refuses an update that is no number, keeps snapshots, goes back to the last
good one, and stops the run. Begin with a plane in shadow mode, which only tells what it
would have done: ``leyline/python/examples/shadow.toml`` of the repository.

What they cannot do:

* The tasks of a loss that was summed up before cannot be told apart, so gradients are
  not combined, and no seed grows.
* A rollback takes model, optimizer and scheduler back. The loop of the library does not
  know of it: its counters and its data go on, so the run ends that many updates short.
* More than one process. Write the loop with ``esper_plane.open`` for that.

They were written after the documentation and the source of Lightning 2.5 and
transformers 4.57 and 5, and are tested against stand-ins with the same hooks in the same
order. They have not been run with the libraries themselves.
"""
