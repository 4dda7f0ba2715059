from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scvi.dataloaders import AnnDataLoader
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from scpareto.model import ParetoVI
from scpareto.module._likelihood import _SparseLogProb
from scpareto.objectives import Mine, get_objective, objective_class
from scpareto.pareto import Scaler, get_solver, preference_vectors
from scpareto.train import PRACTICAL, FrontPlan, TrainingDiverged
from scpareto.train._adapter import get_adapter
from scpareto.train._loop import _distributions_unchecked
from scpareto.train._path_plan import PathPlan, PathWeighing
from scpareto.train._weighing import FixedWeighing, SolverWeighing

GRID = preference_vectors(4)


class Trainer:
    """As much of a trainer as a step needs."""

    current_epoch = 0

    def __init__(self, batches):
        self.train_dataloader = batches


def solver_weighing(method="pareto_mtl"):
    solver = get_solver(method, preferences=GRID)
    solver.end_initial_phase()
    return SolverWeighing(solver, GRID[2], Scaler("payoff", [50.0, 0.0], [90.0, 0.5]), max_initial_epochs=1)


@pytest.fixture
def make_plan(model):
    """Build a plan that can step without Lightning: ``make_plan(weighing, **recipe)`` gives it and its minibatches."""
    batches = list(AnnDataLoader(model.adata_manager, batch_size=64, drop_last=True))

    def make(weighing=None, frozen=None, **recipe):
        torch.manual_seed(0)
        mine = Mine(3, 2, n_hidden=8, n_layers=1)
        plan = FrontPlan(
            get_adapter(model), [mine], weighing or solver_weighing(), PRACTICAL.with_options(recipe), frozen=frozen
        )
        optimizers = plan.configure_optimizers()
        plan.optimizers = lambda: optimizers if len(optimizers) > 1 else optimizers[0]
        plan.manual_backward = lambda loss: loss.backward()
        # Lightning keeps a weak reference only.
        plan.kept = plan.trainer = Trainer(batches)
        plan.train()
        return plan, batches

    return make


def state(module):
    return copy.deepcopy(module.state_dict())


def moved(before, module):
    after = module.state_dict()
    return {name for name in after if not torch.allclose(after[name], before[name], rtol=0, atol=0, equal_nan=True)}


def parameter_names(module):
    return {name for name, p in module.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("which", ["all", "shared"])
def test_gramian_is_that_of_the_flattened_gradients(make_plan, model, which):
    plan, (batch, *_) = make_plan(gramian=which)
    encoded, generative = plan._run(batch)
    losses = plan.weighing.scale(plan._losses(encoded, generative, plan.adapter.context(batch)))
    gramian = plan._gramian(plan._gradients(losses))
    module = model.module if which == "all" else model.module.z_encoder
    rows = []
    for loss in losses:
        model.module.zero_grad()
        loss.backward(retain_graph=True)
        rows.append(
            torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in module.parameters()])
        )
    jacobian = torch.stack(rows).double().numpy()
    np.testing.assert_allclose(gramian, jacobian @ jacobian.T, rtol=1e-4)
    assert gramian[0, 1] == gramian[1, 0] != 0
    assert gramian[0, 0] * gramian[1, 1] > gramian[0, 1] ** 2


def test_no_gramian_where_nobody_needs_it(make_plan):
    plan, (batch, *_) = make_plan(solver_weighing("scalarization"))
    plan._gramian = lambda gradients: pytest.fail("the inner products were computed")
    plan.training_step(batch, 0)


def test_a_model_step_does_not_move_the_critic(make_plan, model):
    plan, (batch, *_) = make_plan(n_critic=0)
    critic, module = state(plan.objectives), state(model.module)
    plan.training_step(batch, 0)
    assert moved(critic, plan.objectives) == set()
    assert all(p.grad is None for p in plan.objectives.parameters())
    assert all(p.requires_grad for p in plan.objectives.parameters()), "its own steps need gradients again"
    assert moved(module, model.module) >= {"px_r", "z_encoder.mean_encoder.weight", "decoder.px_scale_decoder.0.weight"}


@pytest.mark.parametrize("n_critic", [3, "epoch"])
def test_a_critic_phase_does_not_move_the_model(make_plan, model, n_critic):
    plan, (batch, *_) = make_plan(n_critic=n_critic)
    encoded, _ = plan._run(batch)
    critic, module = state(plan.objectives), state(model.module)
    n_steps = []
    step = plan._critic_step
    plan._critic_step = lambda *args: n_steps.append(1) or step(*args)
    plan._train_critics(plan.optimizers()[1], encoded, plan.adapter.context(batch))
    # MINE asks for two steps where a recipe says one.
    assert len(n_steps) == (2 * 3 if n_critic == 3 else len(plan.kept.train_dataloader))
    assert moved(critic, plan.objectives) >= parameter_names(plan.objectives)
    still = moved(module, model.module)
    assert not still & parameter_names(model.module)
    assert all(p.grad is None for p in model.module.parameters())
    # The running statistics neither; the counter of minibatches is of no use with a fixed momentum.
    assert not [name for name in still if "running" in name]


def test_a_full_pass_encodes_with_statistics_of_the_minibatch(make_plan, model):
    """The running statistics are only kept, not used: the critic sees the codes of training mode."""
    plan, (batch, *_) = make_plan(n_critic="epoch")
    layers = [layer for layer in model.module.modules() if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    assert momenta
    with torch.no_grad():
        for layer in layers:
            layer.running_mean.fill_(1e6)
    seen = []
    plan._critic_step = lambda optimizer, z, qz, context: seen.append(float(qz.loc.abs().max()))
    encoded, _ = plan._run(batch)
    plan._train_critics(plan.optimizers()[1], encoded, plan.adapter.context(batch))
    assert max(seen) < 100
    assert [layer.momentum for layer in layers] == momenta


def test_frozen_networks_do_not_move(make_plan, model):
    plan, (batch, *_) = make_plan(FixedWeighing([1.0, 0.0]), frozen=[model.module.z_encoder])
    module = state(model.module)
    plan.training_step(batch, 0)
    changed = moved(module, model.module) & parameter_names(model.module)
    assert changed
    assert not [name for name in changed if name.startswith("z_encoder")]


def test_what_does_not_count_is_not_computed(make_plan, monkeypatch):
    plan, (batch, *_) = make_plan(FixedWeighing([1.0, 0.0]))
    assert len(plan.configure_optimizers()) == 1
    assert plan.critics == []
    monkeypatch.setattr(Mine, "forward", lambda *args: pytest.fail("the objective was computed"))
    plan.training_step(batch, 0)
    assert np.isnan(plan.minibatch_losses[0][1])
    monkeypatch.undo()
    plan, (batch, *_) = make_plan(FixedWeighing([0.0, 1.0]))
    monkeypatch.setattr(plan.adapter, "forward", lambda *args: pytest.fail("the minibatch was decoded"))
    plan.training_step(batch, 0)
    assert np.isnan(plan.minibatch_losses[0][0])
    assert np.isfinite(plan.minibatch_losses[0][1])


def test_a_step_goes_down_the_weighted_sum(make_plan, model):
    """Gradients left in the parameters are those of the weighted sum, shortened to the clip."""
    for clip in (None, 1e-3):
        plan, (batch, *_) = make_plan(n_critic=0, safeguards={"gradient_clip": clip})
        plan.weighing.weights = lambda losses, gramian: np.array([0.75, -2.0])
        model.module.eval()
        plan.training_step(batch, 0)
        (losses,) = plan.minibatch_losses
        assert all(np.isfinite(losses))
        gradients = [p.grad for p in plan._trained if p.grad is not None]
        norm = float(torch.stack([g.norm() for g in gradients]).norm())
        if clip is None:
            assert norm > 1e-2
        else:
            assert norm == pytest.approx(clip, rel=1e-3)


@pytest.mark.parametrize("floor", [True, False])
def test_an_information_below_zero_stands_still(make_plan, model, floor):
    """Where the critic finds less than nothing, going on only fools it."""
    plan, (batch, *_) = make_plan(FixedWeighing([0.0, 1.0]), n_critic=0, floor=floor, weight_decay=0.0)
    plan._objectives[0].forward = lambda z, qz, context: z.mean() - 10
    module = state(model.module)
    plan.training_step(batch, 0)
    changed = {name for name in moved(module, model.module) if name.startswith("z_encoder")} & parameter_names(
        model.module
    )
    assert bool(changed) != floor
    assert (plan.minibatch_losses[0][1] == 0) == floor
    assert Mine.minimum == 0


def test_no_step_where_all_weights_are_zero(make_plan, model):
    plan, (batch, *_) = make_plan(n_critic=0)
    plan.weighing.weights = lambda losses, gramian: np.zeros(2)
    module = state(model.module)
    plan.training_step(batch, 0)
    assert not moved(module, model.module) & parameter_names(model.module)
    assert len(plan.minibatch_losses) == 1


@pytest.mark.parametrize(
    ("method", "what"),
    [("pareto_mtl", "loss"), ("scalarization", "loss"), ("pareto_mtl", "gradient"), ("pareto_mtl", "weights")]
    + [("scalarization", "weights")],
)
def test_divergence_is_called_by_its_name(make_plan, model, monkeypatch, method, what):
    """Whatever notices it first: the loss or the Gramian."""
    plan, (batch, *_) = make_plan(solver_weighing(method))
    if what == "weights":
        with torch.no_grad():
            model.module.z_encoder.mean_encoder.bias.fill_(float("nan"))
    elif what == "loss":
        forward = plan.adapter.forward
        monkeypatch.setattr(plan.adapter, "forward", lambda b: (forward(b)[0], forward(b)[1] * float("inf")))
    else:
        monkeypatch.setattr(plan, "_gramian", lambda losses: np.full((2, 2), np.inf))
    module = state(model.module)
    with pytest.raises(TrainingDiverged, match="epoch 0"), _distributions_unchecked():
        plan.training_step(batch, 0)
    assert not moved(module, model.module) & parameter_names(model.module), "no step with such losses"


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_where_no_solver_reads_the_losses_divergence_is_told_at_the_end_of_the_epoch(make_plan, monkeypatch, what):
    plan, (batch, *_) = make_plan(FixedWeighing([1.0, 0.0]))
    plan.training_step(batch, 0)
    forward = plan.adapter.forward
    if what == "loss":
        monkeypatch.setattr(plan.adapter, "forward", lambda b: (forward(b)[0], forward(b)[1] * float("inf")))
    else:
        # Of a square root at zero.
        monkeypatch.setattr(plan.adapter, "forward", lambda b: (forward(b)[0], (forward(b)[1] * 0).sqrt()))
    plan.training_step(batch, 0)
    with pytest.raises(TrainingDiverged, match={"loss": "losses of epoch 0", "gradient": "gradients of epoch 0"}[what]):
        plan.on_train_epoch_end()


class Reads(TorchDispatchMode):
    """Count operations whose results a GPU has to be waited for."""

    names = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "_unique2")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in self.names:
            self.seen.append(str(func))
        return func(*args, **kwargs or {})


class OneHotOfAGPU(TorchFunctionMode):
    """Indicators without the check of the levels, which PyTorch leaves out on a GPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.one_hot:
            levels, n = args
            return torch.zeros(*levels.shape, n, dtype=torch.long).scatter_(-1, levels[..., None], 1)
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("objective", ["mine", "classifier", "mmd", "hsic", "total_correlation"])
@pytest.mark.parametrize("how", ["fixed", "path"])
def test_a_step_without_a_solver_reads_nothing_back_from_the_device(adata, monkeypatch, objective, how):
    # The likelihood that GPUs use.
    monkeypatch.setattr(_SparseLogProb, "log_prob", lambda self, value: super(_SparseLogProb, self).log_prob(value))
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, n_hidden=16, n_latent=3)
    options = {"n_categories": 2} if objective_class(objective).needs_nuisance else {}
    if objective == "total_correlation":
        options = {"n_cells": adata.n_obs}
    traded = get_objective(objective, n_latent=3, **options)
    if how == "path":
        weighing = PathWeighing(Scaler("start", [50.0, 0.0], [90.0, 0.5]))
        plan = PathPlan(get_adapter(model), [traded.along_path(2)], weighing, PRACTICAL)
    else:
        plan = FrontPlan(get_adapter(model), [traded], FixedWeighing([1.0, 1.0]), PRACTICAL)
    optimizers = plan.configure_optimizers()
    plan.optimizers = lambda: optimizers if len(optimizers) > 1 else optimizers[0]
    plan.kept = plan.trainer = Trainer(None)
    batch = next(iter(AnnDataLoader(model.adata_manager, batch_size=64)))
    with Reads() as reads, OneHotOfAGPU(), _distributions_unchecked():
        plan.training_step(batch, 0)
    assert reads.seen == []
    with reads:
        plan.on_train_epoch_end()
    assert reads.seen, "the losses of an epoch are read at its end"


def test_another_error_is_not_divergence(make_plan, monkeypatch):
    plan, (batch, *_) = make_plan()
    monkeypatch.setattr(plan.adapter, "forward", lambda batch: (_ for _ in ()).throw(ValueError("wrong shape")))
    with pytest.raises(ValueError, match="wrong shape"):
        plan.training_step(batch, 0)


def test_redraw_steps_on_a_second_draw(make_plan):
    for redraw, n_passes in ((False, 1), (True, 2)):
        plan, (batch, *_) = make_plan(redraw=redraw, n_critic=0)
        calls = []
        run = plan._run
        plan._run = lambda batch, run=run, calls=calls: calls.append(1) or run(batch)
        plan.training_step(batch, 0)
        assert len(calls) == n_passes


def test_validation_joins_all_cells_before_it_judges(make_plan, model, monkeypatch):
    plan, batches = make_plan()
    model.module.eval()
    seen = []
    monkeypatch.setattr(Mine, "forward", lambda self, z, qz, context: seen.append(len(z)) or qz.loc.sum() * 0 + 0.25)
    torch.manual_seed(0)
    for batch in batches:
        plan.validation_step(batch, 0)
    plan.on_validation_epoch_end()
    assert seen == [64 * len(batches)]
    torch.manual_seed(0)
    generative = float(torch.cat([plan._run(batch)[1] for batch in batches]).mean().detach())
    (record,) = plan.history
    assert record["generative_loss_validation"] == pytest.approx(generative)
    assert record["mine_validation"] == 0.25
    standardised = np.array([(generative - 50) / 40, 0.5])
    assert plan.merit == pytest.approx(plan.weighing.solver.merit(standardised, GRID[2]), rel=1e-4)


def test_an_epoch_is_recorded_by_its_means(make_plan):
    plan, batches = make_plan(n_critic=0)
    for batch in batches:
        plan.training_step(batch, 0)
    means = np.mean(plan.minibatch_losses, axis=0)
    plan.on_train_epoch_end()
    (record,) = plan.history
    assert [record["generative_loss_train"], record["mine_train"]] == pytest.approx(list(means))
    assert record["main_phase"] == 1
    assert (record["epoch"], plan._epoch) == (0, [])
