"""The diagram in the docs."""

from tests.stacks.diagram import PAGE, diagram, page_with_diagram


def test_the_page_shows_the_graph_as_it_is() -> None:
    """`python -m tests.stacks.diagram` draws it anew."""
    assert PAGE.read_text(encoding="utf-8") == page_with_diagram()


def test_an_arrow_leads_to_what_waits_and_queues_are_drawn_once() -> None:
    """What is inside a component is not drawn."""
    graph = (
        "network  (a:b:Network)\n"
        "  network-vpc  (aws:ec2/vpc:Vpc; protected; after network-other)\n"
        "broker  (a:b:Broker; protected; after network)\n"
        "queue-one  (a:b:Queue; after broker)\n"
        "queue-two  (a:b:Queue; after broker)\n"
    )
    assert diagram(graph) == "```mermaid\nflowchart LR\n  network --> broker\n  broker --> queues\n```\n"
