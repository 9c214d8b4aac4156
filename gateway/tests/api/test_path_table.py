"""Which entry of the route table a path leads to."""

from signalpost.api.routing.path_table import PathTable

TABLE = PathTable({"/v1/documents": "list", "/v1/documents/{id}": "read", "/v1/documents/import": "import"})


def test_a_path_is_found_with_its_parameters() -> None:
    assert TABLE.find("/v1/documents") == ("list", {})
    assert TABLE.find("/v1/documents/7") == ("read", {"id": "7"})


def test_a_path_without_parameters_goes_before_a_template_that_fits() -> None:
    assert TABLE.find("/v1/documents/import") == ("import", {})


def test_a_template_goes_before_one_with_more_parameters_that_fits_too() -> None:
    table = PathTable({"/v1/{noun}/{id}": "any", "/v1/documents/{id}": "read", "/v1/{noun}/import": "import"})
    assert table.find("/v1/documents/7") == ("read", {"id": "7"})
    assert table.find("/v1/events/import") == ("import", {"noun": "events"})
    assert table.find("/v1/events/7") == ("any", {"noun": "events", "id": "7"})
    assert table.find("/v1//7") is None


def test_a_parameter_is_one_part_of_a_path_and_not_empty() -> None:
    assert TABLE.find("/v1/documents/") is None
    assert TABLE.find("/v1/documents/7/versions") is None
    assert TABLE.find("/v2/documents") is None
